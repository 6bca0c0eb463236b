import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

const program = join(import.meta.dirname, "worker.ts");
/** Deaths of one worker, after which something is wrong that no further start would mend. */
const deathsMax = 10;
/** For finishing what runs; then a worker is killed. */
const stopMs = 5_000;

interface CrewOptions {
  /** Of the gateway. */
  readonly url: string;
  readonly names: readonly string[];
  /** A worker died, and another process takes its place. */
  readonly replaced: (member: Member, cause: string) => void;
}

/** The process that works under a name now. */
export interface Member {
  readonly name: string;
  readonly pid: number | undefined;
  /** Of its registration; the same for every process of that name. */
  readonly worker: string | undefined;
}

interface Post {
  readonly name: string;
  readonly child: ChildProcess;
  worker: string | undefined;
  isServing: boolean;
}

/**
 * Worker processes under fixed names. One that dies is started again under its name, so that what
 * it held counts as lost at once, not after a grace. They end when this process does, however that
 * happens: their channel to it closes.
 */
export class Crew {
  readonly #options: CrewOptions;
  readonly #posts = new Map<string, Post>();
  readonly #failure = new AbortController();
  #isStopping = false;

  constructor(options: CrewOptions) {
    this.#options = options;
  }

  /** Aborts when a worker dies again and again. */
  get failed(): AbortSignal {
    return this.#failure.signal;
  }

  get members(): readonly Member[] {
    return Array.from(this.#posts.values(), toMember);
  }

  /** Resolves once every worker is registered. */
  async start(): Promise<void> {
    await Promise.all(this.#options.names.map((name) => this.#fill(name, 0)));
  }

  /** Resolves when every process has ended. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await Promise.all(Array.from(this.#posts.values(), end));
  }

  /** Resolves when a process serves under that name, be it a later one. */
  #fill(name: string, deaths: number): Promise<void> {
    const child = fork(program, [this.#options.url, name], {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    const worker = this.#posts.get(name)?.worker;
    const post: Post = { name, child, worker, isServing: false };
    this.#posts.set(name, post);
    return new Promise((resolve) => {
      child.once("message", (worker) => {
        post.worker = String(worker);
        post.isServing = true;
        resolve();
      });
      child.once("error", (error) => this.#failure.abort(error));
      child.once("exit", (code, signal) => {
        if (this.#isStopping) return;
        const cause = signal ?? `exit code ${code}`;
        if (deaths + 1 < deathsMax) {
          this.#options.replaced(toMember(post), cause);
          resolve(this.#fill(name, deaths + 1));
        } else {
          const message = `the worker ${name} died ${deathsMax} times, the last time of ${cause}`;
          this.#failure.abort(new Error(message));
        }
      });
    });
  }
}

function toMember({ name, child, worker }: Post): Member {
  return { name, pid: child.pid, worker };
}

async function end({ child, isServing }: Post): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const exited = once(child, "exit");
  if (child.connected && isServing) child.send("stop");
  else if (child.connected) child.disconnect();
  const deadline = setTimeout(() => child.kill("SIGKILL"), stopMs);
  await exited;
  clearTimeout(deadline);
}
