import { KantokuError } from "../errors.ts";
import type { DefinitionVertex, Graph, GraphVertex } from "../protocol/graph.ts";
import { namePattern } from "../protocol/limits.ts";
import { isRecord } from "../values/record.ts";
import type { Complain, DocumentProblem } from "./problems.ts";
import { type Job, readJob } from "./read-job.ts";

export interface StagePipeline {
  readonly name?: string;
  readonly graph: Graph;
}

const members = ["name", "stages", "jobs"];
/** For editors, which schema to check against. */
const silentMembers = ["$schema"];

/** Whether a document means to be a stage pipeline, well or badly. */
export function hasStages(document: unknown): boolean {
  return isRecord(document) && "stages" in document;
}

/**
 * The graph of a stage pipeline, `{name?, stages, jobs}` as parsed from YAML or JSON. Its output is
 * that of the last job of the last stage that has any; the tasks of jobs have the jobs' names.
 * @throws KantokuError `invalid-definition` with all `problems` in its data
 */
export function fromStages(document: unknown): StagePipeline {
  const problems: DocumentProblem[] = [];
  const complain: Complain = (path, message) => problems.push({ path, message });
  const read = readStages(document, complain);
  if (problems.length > 0) throw invalid(problems);
  return { ...(read.name !== undefined && { name: read.name }), graph: toGraph(read) };
}

interface Stages {
  readonly name?: string;
  readonly stages: readonly string[];
  readonly jobs: readonly Job[];
}

function readStages(document: unknown, complain: Complain): Stages {
  if (!isRecord(document)) {
    complain("", "must be {stages: [name], jobs: [job]}");
    return { stages: [], jobs: [] };
  }
  const { name } = document;
  for (const member of Object.keys(document)) {
    if (![...members, ...silentMembers].includes(member))
      complain(member, `is none of ${members.join(", ")}`);
  }
  if (name !== undefined && !isName(name)) complain("name", `must match ${namePattern.source}`);
  const stages = readStageNames(document["stages"], complain);
  const jobs = readJobs(document["jobs"], stages, complain);
  return { ...(isName(name) && { name }), stages, jobs };
}

function readStageNames(given: unknown, complain: Complain): readonly string[] {
  if (!Array.isArray(given) || given.length === 0) {
    complain("stages", "must be a list of names, the first first");
    return [];
  }
  const seen = new Set<string>();
  given.forEach((stage: unknown, index) => {
    const path = `stages[${index}]`;
    if (!isName(stage)) complain(path, `must match ${namePattern.source}`);
    else if (seen.has(stage)) complain(path, `is there before: ${stage}`);
    else seen.add(stage);
  });
  return [...seen];
}

function readJobs(given: unknown, stages: readonly string[], complain: Complain): readonly Job[] {
  if (!Array.isArray(given) || given.length === 0) {
    complain("jobs", "must be a list of jobs");
    return [];
  }
  const seen = new Set<unknown>();
  return given.flatMap((value: unknown, index) => {
    const at = `jobs[${index}]`;
    const job = readJob(value, (path, message) => complain(`${at}${path}`, message));
    if (!isRecord(value)) return [];
    const { name, stage } = value;
    if (isName(name) && seen.has(name)) complain(`${at}.name`, `is there before: ${name}`);
    seen.add(name);
    if (isName(stage) && !stages.includes(stage)) {
      complain(`${at}.stage`, `names no stage: ${stage}`);
    }
    return job === null ? [] : [job];
  });
}

/**
 * A stage is a task of its own, with a graph of its jobs. Jobs that simply came `after` all jobs of
 * the stage before would let a pipeline go on behind a stage of allowed failures, whatever failed
 * before it, and would take as many edges as jobs times jobs.
 */
function toGraph({ stages, jobs }: Stages): Graph {
  const filled = stages.filter((stage) => jobs.some((job) => job.stage === stage));
  const tasks = filled.map((stage, index): [string, GraphVertex] => {
    const before = filled[index - 1];
    const own = jobs.filter((job) => job.stage === stage);
    return [stage, { graph: stageGraph(own), ...(before !== undefined && { after: [before] }) }];
  });
  return { tasks: Object.fromEntries(tasks), result: filled.at(-1) ?? "" };
}

function stageGraph(jobs: readonly Job[]): Graph {
  return {
    tasks: Object.fromEntries(jobs.map((job) => [job.name, toVertex(job)])),
    result: jobs.at(-1)?.name ?? "",
  };
}

function toVertex(job: Job): DefinitionVertex {
  const { kind, version, priority, params, retryAttempt, allowFailure, timeoutMs } = job;
  return {
    definition: kind,
    ...(version !== undefined && { version }),
    input: params,
    // Said even where it is the usual one: the pipeline's must not turn the order of a stage round.
    priority,
    // Said even for none: the kind's own policy must not step in.
    retry: { maxAttempts: retryAttempt + 1 },
    ...(allowFailure && { onFailure: "allow" }),
    ...(timeoutMs !== undefined && { attemptTimeoutMs: timeoutMs }),
  };
}

function isName(value: unknown): value is string {
  return typeof value === "string" && namePattern.test(value);
}

function invalid(problems: readonly DocumentProblem[]): KantokuError {
  const lines = problems.map(({ path, message }) => (path === "" ? message : `${path} ${message}`));
  return new KantokuError("invalid-definition", lines.join("; ").slice(0, 1_000), {
    data: { problems },
  });
}
