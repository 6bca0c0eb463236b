import { parentPort, workerData } from "node:worker_threads";
import type { Batch, BatchAnswer, ThreadData } from "./messages.ts";
import { Progress } from "./progress.ts";
import { BrokenInstance, openInstance, Realm } from "./realm.ts";
import type { FaultKind, Reshaped } from "./types.ts";

type Instance = Awaited<ReturnType<typeof openInstance>>;

const { module, limits, progress: progressMemory } = workerData as ThreadData;
const progress = new Progress(progressMemory);
const realmOptions = {
  stackBytes: limits.stackBytes,
  outputBytesMax: limits.outputBytesMax,
  monotonic: () => performance.now(),
};

/** After these an instance may hold all of its memory, and gives none back until it is collected. */
const bloating: ReadonlySet<FaultKind> = new Set(["memory", "timeout"]);

/** One namespace's; another's never comes to use it, nor its memory. */
interface Home {
  readonly instance: Instance;
  realm: Realm;
  uses: number;
}

/** The one used last stands last. */
const homes = new Map<string, Home>();
let instances = 0;
let isWorn = false;

async function run(batch: Batch): Promise<BatchAnswer> {
  const answers: Reshaped[] = [];
  const stopAt = performance.now() + limits.quantumMs;
  for (const [index, call] of batch.calls.entries()) {
    const preprocessor = batch.preprocessors[call.preprocessor];
    if (preprocessor === undefined) throw new Error("a call without its preprocessor");
    const { input, deadlineMs } = call;
    const { realm } = await homeOf(batch.namespace);
    progress.begin(index);
    const answer = guarded(() => realm.reshape({ preprocessor, input, deadlineMs }));
    progress.end();
    answers.push(answer);
    if ("fault" in answer && bloating.has(answer.fault.kind)) isWorn = true;
    if (isWorn || performance.now() >= stopAt) break;
  }
  return { answers, isWorn: isWorn || instances >= limits.instancesMax };
}

function guarded(reshape: () => Reshaped): Reshaped {
  try {
    return reshape();
  } catch (error) {
    if (!(error instanceof BrokenInstance)) throw error;
    isWorn = true;
    return { fault: error.fault };
  }
}

async function homeOf(namespace: string): Promise<Home> {
  const known = homes.get(namespace);
  homes.delete(namespace);
  const home = known === undefined || known.uses >= limits.usesMax ? await newHome() : known;
  if (home.realm.isSpent) {
    home.realm.dispose();
    home.realm = new Realm(home.instance, realmOptions);
  }
  home.uses += 1;
  homes.set(namespace, home);
  for (const oldest of homes.keys()) {
    if (homes.size <= limits.instancesKept) break;
    homes.delete(oldest);
  }
  return home;
}

async function newHome(): Promise<Home> {
  const instance = await openInstance(module, { pages: limits.memoryPages });
  instances += 1;
  return { instance, realm: new Realm(instance, realmOptions), uses: 0 };
}

parentPort?.on("message", async (batch: Batch) => {
  parentPort?.postMessage(await run(batch));
});
