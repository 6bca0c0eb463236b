import { type Command, InvalidArgumentError } from "commander";
import {
  type Kantoku,
  type ListParams,
  limits,
  type TaskPage,
  type TaskStatus,
  type TaskView,
  taskStatuses,
  type WorkerView,
} from "../../sdk/index.ts";
import { type Answered, withClient } from "../gateway-client.ts";
import {
  addClientOptions,
  addExamples,
  type ClientFlags,
  type Format,
  formatOption,
  labelFlag,
  labelsHelp,
  readCount,
  readLabels,
} from "../options.ts";
import { pipelineColumns } from "../output/pipeline-rows.ts";
import { formatTable } from "../output/table.ts";
import { taskColumns, wideTaskColumns } from "../output/task-rows.ts";
import { note, print, printJson } from "../output/terminal.ts";
import { wideWorkerColumns, workerColumns } from "../output/worker-rows.ts";
import { type ClientSettings, readClientSettings } from "../settings.ts";
import { keyFlag, toTaskRef } from "./task-ref.ts";

interface GetFlags extends ClientFlags {
  readonly output?: Format;
}

interface GetWorkersFlags extends GetFlags {
  readonly all?: boolean;
}

interface GetTasksFlags extends GetFlags {
  readonly key?: string;
  readonly status?: readonly TaskStatus[];
  readonly definition?: string;
  readonly label?: Readonly<Record<string, string>>;
  readonly limit: number;
}

export function addGetCommand(program: Command): void {
  const get = program
    .command("get")
    .description("List tasks, workers or pipelines, or show one task");
  addGetTasks(get);
  addGetWorkers(get);
  addGetPipelines(get);
}

function addGetTasks(get: Command): void {
  const tasks = get
    .command("tasks")
    .alias("task")
    .description("List tasks, the newest first, or show one")
    .argument("[id]", "only this task")
    .option(...keyFlag)
    .option("-s, --status <list>", "only these, separated by commas", readStatuses)
    .option("-d, --definition <name>", "only tasks of this definition")
    .option(labelFlag, `only tasks with these labels; ${labelsHelp}`, readLabels)
    .option("--limit <number>", "at most so many", readCount, 100)
    .addOption(formatOption(["json", "wide"]))
    .action(getTasks);
  addClientOptions(tasks);
  addExamples(tasks, [
    "ktk get tasks",
    "ktk get tasks --status running,failed --definition resize -o wide",
    "ktk get task 01989f5e-8a4c-7cc2-b5d1-6e3a7f0c9b21 -o json",
  ]);
}

function addGetWorkers(get: Command): void {
  const workers = get
    .command("workers")
    .alias("worker")
    .description("List the workers that live")
    .option("-a, --all", "those that have gone or were lost, too")
    .addOption(formatOption(["json", "wide"]))
    .action(getWorkers);
  addClientOptions(workers);
  addExamples(workers, ["ktk get workers", "ktk get workers --all -o wide"]);
}

function addGetPipelines(get: Command): void {
  const pipelines = get
    .command("pipelines")
    .alias("pipeline")
    .description("List registered pipelines, each in its latest version")
    .addOption(formatOption())
    .action(getPipelines);
  addClientOptions(pipelines);
  addExamples(pipelines, ["ktk get pipelines", "ktk get pipelines -o json"]);
}

async function getTasks(id: string | undefined, flags: GetTasksFlags): Promise<void> {
  const settings = await readClientSettings(flags);
  const isOne = id !== undefined || flags.key !== undefined;
  const ref = isOne ? toTaskRef(id, flags.key) : undefined;
  await withClient(settings, async (client, answered) => {
    if (ref === undefined) {
      showTasks(await listTasks(client, { flags, answered }), { flags, settings });
    } else showTask(await answered(client.get(ref)), flags);
  });
}

function showTask(task: TaskView, flags: GetFlags): void {
  if (flags.output === "json") printJson(task);
  else printTasks([task], flags);
}

function showTasks(
  page: TaskPage,
  { flags, settings }: { flags: GetTasksFlags; settings: ClientSettings },
): void {
  if (flags.output === "json") {
    printJson(page);
    return;
  }
  if (page.tasks.length === 0) note(`${nothing("tasks", settings)}.`);
  else printTasks(page.tasks, flags);
  if (page.cursor !== undefined) note(`There are more than ${flags.limit}: --limit shows them.`);
}

async function listTasks(
  client: Kantoku,
  { flags, answered }: { flags: GetTasksFlags; answered: Answered },
): Promise<TaskPage> {
  const { status, definition, label, limit } = flags;
  const query: ListParams = {
    ...(status !== undefined && { status }),
    ...(definition !== undefined && { definition }),
    ...(label !== undefined && { labels: label }),
  };
  const tasks: TaskView[] = [];
  let cursor: string | undefined;
  do {
    const page = await answered(
      client.list({
        ...query,
        limit: Math.min(limit - tasks.length, limits.pageRowsMax),
        ...(cursor !== undefined && { cursor }),
      }),
    );
    tasks.push(...page.tasks);
    cursor = page.cursor;
  } while (cursor !== undefined && tasks.length < limit);
  return { tasks, ...(cursor !== undefined && { cursor }) };
}

function printTasks(tasks: readonly TaskView[], { output }: GetFlags): void {
  const now = Date.now();
  print(formatTable(output === "wide" ? wideTaskColumns(now) : taskColumns(now), tasks));
}

async function getWorkers(flags: GetWorkersFlags): Promise<void> {
  const settings = await readClientSettings(flags);
  const known = await withClient(settings, (client, answered) => answered(client.workers()));
  const workers = flags.all ? known : known.filter(isLive);
  if (flags.output === "json") printJson({ workers });
  else if (workers.length > 0) printWorkers(workers, flags);
  else if (known.length === 0) note(`${nothing("workers", settings)}.`);
  else note(`${nothing("workers", settings)}; --all shows those that have gone, too.`);
}

/** Where one was named: the flag for it is easily taken for another. */
function nothing(nouns: string, { namespace }: ClientSettings): string {
  return `No ${nouns} found${namespace === undefined ? "" : ` in namespace ${namespace}`}`;
}

function isLive({ status }: WorkerView): boolean {
  return status !== "gone" && status !== "lost";
}

async function getPipelines(flags: GetFlags): Promise<void> {
  const settings = await readClientSettings(flags);
  const pipelines = await withClient(settings, (client, answered) => answered(client.pipelines()));
  if (flags.output === "json") printJson({ pipelines });
  else if (pipelines.length === 0) note(`${nothing("pipelines", settings)}.`);
  else print(formatTable(pipelineColumns(Date.now()), pipelines));
}

function printWorkers(workers: readonly WorkerView[], { output }: GetFlags): void {
  const now = Date.now();
  print(formatTable(output === "wide" ? wideWorkerColumns(now) : workerColumns(now), workers));
}

function readStatuses(given: string): readonly TaskStatus[] {
  return given.split(",").map((name) => {
    const status = taskStatuses.find((known) => known === name.trim());
    if (status !== undefined) return status;
    throw new InvalidArgumentError(`A status is one of ${taskStatuses.join(", ")}.`);
  });
}
