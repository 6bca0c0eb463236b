import { randomUUID } from "node:crypto";
import type { Command } from "commander";
import { withKey } from "../../sdk/client/uncertain.ts";
import {
  type CallData,
  type ErrorCode,
  isKantokuError,
  type Kantoku,
  KantokuError,
  type SubmitOptions,
  type Submitted,
  type TaskHandle,
  type TaskView,
} from "../../sdk/index.ts";
import { Interrupted } from "../failure.ts";
import { type Answered, askGateway, withClient } from "../gateway-client.ts";
import {
  addClientOptions,
  addExamples,
  type ClientFlags,
  type Format,
  formatOption,
  labelFlag,
  labelsHelp,
  readInteger,
  readLabels,
} from "../options.ts";
import { formatEvent } from "../output/event-rows.ts";
import { harmless, note, print, printJson } from "../output/terminal.ts";
import { readPipelineFile } from "../pipeline-file.ts";
import { readDuration } from "../setting-values.ts";
import { type ClientSettings, readClientSettings } from "../settings.ts";
import { UsageError } from "../usage-error.ts";
import { readInput } from "./input.ts";

interface RunFlags extends ClientFlags {
  readonly file?: string;
  readonly input?: string;
  readonly key?: string;
  readonly version?: string;
  readonly priority?: number;
  readonly label?: Readonly<Record<string, string>>;
  readonly timeout?: string;
  readonly wait?: string | false;
  readonly watch?: true;
  readonly output?: Format;
}

export function addRunCommand(program: Command): void {
  const run = program
    .command("run")
    .description("Run a task or a pipeline and print its output")
    .argument("[definition]", "what to run: a definition, or a pipeline by its name")
    .option(
      "-f, --file <file>",
      "run the pipeline in this file, YAML or JSON, without registering it",
    )
    .option("-i, --input <json>", "the task's input: JSON, @file, or - for standard input")
    .option("-k, --key <key>", "idempotency key: the same key and call are the same task")
    .option("--version <version>", "of the definition")
    .option("--priority <number>", "smaller is first; 10 unless given", readInteger)
    .option(labelFlag, `for finding it; ${labelsHelp}`, readLabels)
    .option(
      "--timeout <duration>",
      "the task ends after this, retries included; a pipeline, as a whole",
    )
    .option("-w, --watch", "show the task's events as they happen, on standard error")
    .option("--wait <duration>", "stop waiting after this; the task goes on")
    .option("--no-wait", "print the task's id and leave")
    .addOption(formatOption())
    .action(runTask);
  addClientOptions(run);
  addExamples(run, [
    `ktk run resize -i '{"url": "https://example.com/a.png"}' --watch`,
    "ktk run report -i @input.json --key report-2026-08 --timeout 10m",
    "ktk run nightly --no-wait -o json",
    "ktk run -f stages.yaml --timeout 1h",
  ]);
  run.addHelpText(
    "after",
    "\nExits with 0 when the task succeeded, 1 when it did not, 2 when it was not understood.",
  );
}

async function runTask(definition: string | undefined, flags: RunFlags): Promise<void> {
  // Also without one of the user's: a submit whose answer does not come can be asked for by it.
  const { key = randomUUID() } = flags;
  const submit = toSubmit(definition, key, flags);
  const waitMs = flags.wait ? readDurationFlag("--wait", flags.wait) : undefined;
  const settings = await readClientSettings(flags);
  await withClient(settings, async (client, answered) => {
    const { id, created } = await submit({ client, settings, answered }).catch((thrown) => {
      throw withKey(thrown, key);
    });
    const handle = client.handle(id);
    if (flags.wait === false) await reportSubmitted(handle, { created, flags, answered });
    else await reportOutcome(client, handle, { flags, waitMs, answered });
  });
}

type Submit = (to: {
  client: Kantoku;
  settings: ClientSettings;
  answered: Answered;
}) => Promise<Pick<Submitted, "id" | "created">>;

/** @throws UsageError unless exactly one of a definition and a file is given */
function toSubmit(definition: string | undefined, key: string, flags: RunFlags): Submit {
  const input = flags.input === undefined ? {} : { input: readInput(flags.input) };
  const { file, version } = flags;
  if (file !== undefined && definition === undefined) {
    return toGraphSubmit(file, { ...input, idempotencyKey: key }, flags);
  }
  if (definition === undefined) throw new UsageError("name what to run, or a file with --file");
  if (file !== undefined) throw new UsageError("either name what to run, or give --file");
  const call: CallData = { definition, ...(version !== undefined && { version }), ...input };
  const options = { ...toSubmitOptions(flags), idempotencyKey: key };
  return ({ client, answered }) => answered(client.submit(call, options));
}

function toGraphSubmit(
  file: string,
  given: { readonly input?: unknown; readonly idempotencyKey: string },
  flags: RunFlags,
): Submit {
  const { version, timeout, priority, label } = flags;
  if (version !== undefined) throw new UsageError("--version is for what is registered");
  const params = {
    graph: readPipelineFile(file).graph,
    ...given,
    ...(priority !== undefined && { priority }),
    ...(label !== undefined && { labels: label }),
    ...(timeout !== undefined && { timeoutMs: readDurationFlag("--timeout", timeout) }),
  };
  return ({ settings }) => askGateway<Submitted>(settings, "task.submit", params);
}

function toSubmitOptions({ priority, label, timeout }: RunFlags): SubmitOptions {
  return {
    ...(priority !== undefined && { priority }),
    ...(label !== undefined && { labels: label }),
    ...(timeout !== undefined && { timeout: readDurationFlag("--timeout", timeout) }),
  };
}

function readDurationFlag(flag: string, given: string): number {
  try {
    return readDuration(given);
  } catch (fault) {
    throw new UsageError(`${flag} ${(fault as Error).message}`);
  }
}

async function reportSubmitted(
  handle: TaskHandle,
  { created, flags, answered }: { created: boolean; flags: RunFlags; answered: Answered },
): Promise<void> {
  const { id } = handle;
  if (flags.output === "json") {
    printJson({ id, status: await answered(handle.status()), created });
    return;
  }
  print(created ? `task ${id} submitted` : `task ${id} was submitted before under this key`);
}

async function reportOutcome(
  client: Kantoku,
  handle: TaskHandle,
  { flags, waitMs, answered }: { flags: RunFlags; waitMs: number | undefined; answered: Answered },
): Promise<void> {
  const signal = abortedByInterrupt(handle.id);
  const stop = new AbortController();
  const watching = flags.watch && watch(handle, flags, stop.signal);
  const explaining = setTimeout(() => void noteWhyItWaits(client, handle.id), explainAfterMs);
  try {
    const output = await (waitMs === undefined
      ? handle.result({ signal })
      : answered(handle.result({ signal, waitMs }), waitMs));
    await watching;
    printJson(flags.output === "json" ? { id: handle.id, status: "succeeded", output } : output);
  } catch (error) {
    const outcome = outcomeCodeOf(error);
    // Without an outcome the task goes on, and so do the events; with a quarantine it may, one day.
    if (outcome === undefined || outcome === "task-quarantined") stop.abort();
    await watching;
    if (outcome !== undefined && flags.output === "json") {
      printJson(await read(answered(client.get(handle.id))));
    }
    throw isUnfinished(error) ? await withReason(error, answered(client.get(handle.id))) : error;
  } finally {
    clearTimeout(explaining);
  }
}

/** What takes longer than this deserves a reason: mostly, no worker serves the definition. */
const explainAfterMs = 2_000;

async function noteWhyItWaits(client: Kantoku, id: string): Promise<void> {
  // A courtesy: when it fails, the wait itself will say why.
  const task = await client.get(id).catch(() => undefined);
  if (task?.waitingFor) note(`task ${id} waits: ${harmless(task.waitingFor.message)}`);
}

function isUnfinished(error: unknown): error is KantokuError {
  return isKantokuError(error, "deadline-exceeded") && error.data["status"] !== undefined;
}

/** As above, a courtesy. */
async function withReason(unfinished: KantokuError, task: Promise<TaskView>): Promise<Error> {
  const { waitingFor } = await task.catch(() => ({ waitingFor: undefined }));
  if (waitingFor === undefined) return unfinished;
  const { code, message, data } = unfinished;
  return new KantokuError(code, `${message}: ${waitingFor.message}`, {
    data: { ...data, waitingFor },
  });
}

function outcomeCodeOf(error: unknown): ErrorCode | undefined {
  return isKantokuError(error) && error.code.startsWith("task-") ? error.code : undefined;
}

async function read(task: Promise<TaskView>): Promise<Partial<TaskView>> {
  const { id, status, error } = await task;
  return { id, status, ...(error && { error }) };
}

/** Never rejects: whoever watches wants the outcome even when the events cannot be had. */
async function watch(handle: TaskHandle, { output }: RunFlags, signal: AbortSignal): Promise<void> {
  const isJson = output === "json";
  const onProgress = (progress: unknown) => {
    note(isJson ? JSON.stringify({ progress }) : `progress  ${harmless(JSON.stringify(progress))}`);
  };
  try {
    for await (const event of handle.events({ signal, onProgress })) {
      note(isJson ? JSON.stringify(event) : formatEvent(event));
    }
  } catch (error) {
    note(`the events cannot be shown: ${(error as Error).message}`);
  }
}

function abortedByInterrupt(id: string): AbortSignal {
  const interruption = new AbortController();
  process.once("SIGINT", () => {
    interruption.abort(new Interrupted(`task ${id} goes on; see "ktk describe task ${id}"`));
  });
  return interruption.signal;
}
