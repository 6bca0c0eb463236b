import { limits } from "../../sdk/protocol/limits.ts";
import {
  type PreprocessorFailed,
  preprocessorFailed,
  preprocessorInputTooLarge,
} from "../graph/faults.ts";
import { leastCharsOf } from "../graph/size.ts";
import type { Preprocessed } from "../machines/task.events.ts";
import type { Preprocessing } from "../ports/preprocessing.ts";
import { Turnstile } from "./turnstile.ts";

/** Of one task at once; the others of its namespace have their turn in between. */
const callsMax = 16;
/** Of one namespace at once: what has been given to them already is kept until they are done. */
const tasksMax = 32;
/** For one task, all together: more than an input can be, and no more than can be kept for each. */
const outputCharsMax = 2 * 1024 * 1024;
/** Of all tasks of the node at once, in characters of what the sandbox is given. */
const inHandMax = 16 * 1024 * 1024;
/** What a call costs beside its text. */
const callChars = 1024;

/** What the tasks of a node ask of the sandbox, whose own queue has no bound. */
export class Preprocessors {
  readonly #preprocessing: Preprocessing;
  readonly #inHand = new Turnstile(inHandMax);
  readonly #tasks = new Map<string, Turnstile>();

  constructor(preprocessing: Preprocessing) {
    this.#preprocessing = preprocessing;
  }

  /** For all that one task asks: with its first fault, or its own end, it asks no more. */
  async forTask<T>(task: Asking, use: (own: TaskPreprocessors) => Promise<T>): Promise<T> {
    const { namespace } = task;
    const tasks = this.#tasks.get(namespace) ?? new Turnstile(tasksMax);
    this.#tasks.set(namespace, tasks);
    const own = new TaskPreprocessors(task, {
      preprocessing: this.#preprocessing,
      tasks,
      inHand: this.#inHand,
    });
    try {
      return await use(own);
    } finally {
      await own.end();
      if (tasks.isEmpty) this.#tasks.delete(namespace);
    }
  }
}

interface Asking {
  readonly namespace: string;
  /** Whether it still waits: what it asked for and has not begun would cost others their time. */
  readonly isWaiting: () => boolean;
}

interface Shared {
  readonly preprocessing: Preprocessing;
  readonly tasks: Turnstile;
  readonly inHand: Turnstile;
}

class TaskPreprocessors {
  /** What ran on what, for the journal. */
  readonly ran: Preprocessed[] = [];
  readonly #task: Asking;
  readonly #shared: Shared;
  readonly #calls = new Turnstile(callsMax);
  readonly #texts = new TextsInUse();
  /** Most tasks have no preprocessor: who asks for the first one has to be let in. */
  #entered: Promise<void> | null = null;
  #outputChars = 0;
  #fault: { readonly error: unknown } | null = null;

  constructor(task: Asking, shared: Shared) {
    this.#task = task;
    this.#shared = shared;
  }

  async run(source: string, value: unknown): Promise<unknown> {
    this.#entered ??= this.#shared.tasks.enter(1);
    await this.#entered;
    await this.#calls.enter(1);
    try {
      if (this.#fault !== null) throw this.#fault.error;
      if (!this.#task.isWaiting()) throw new Error("the task waits no more");
      return await this.#runOne(source, value);
    } catch (error) {
      this.#fault ??= { error };
      throw error;
    } finally {
      this.#calls.leave(1);
    }
  }

  async end(): Promise<void> {
    if (this.#entered === null) return;
    await this.#entered;
    this.#shared.tasks.leave(1);
  }

  async #runOne(source: string, value: unknown): Promise<unknown> {
    const { preprocessing, inHand } = this.#shared;
    const { namespace, isWaiting: isWanted } = this.#task;
    const chars = leastCharsOf(value, limits.preprocessorInputBytesMax);
    if (chars > limits.preprocessorInputBytesMax) throw preprocessorInputTooLarge();
    const cost = chars + callChars;
    await inHand.enter(cost, namespace);
    try {
      const input = this.#texts.take(value);
      const done = await preprocessing.run({ namespace, source, input, isWanted });
      if ("fault" in done) throw preprocessorFailed(done.fault);
      this.ran.push({ source: done.source, input: done.input });
      this.#outputChars += done.output.length;
      if (this.#outputChars > outputCharsMax) throw tooMuchOut();
      return JSON.parse(done.output) as unknown;
    } finally {
      this.#texts.giveBack(value);
      inHand.leave(cost);
    }
  }
}

/** Thousands of calls may be given one value: its text is made once, and kept while one of them runs. */
class TextsInUse {
  readonly #texts = new Map<unknown, { readonly text: string; uses: number }>();

  take(value: unknown): string {
    const known = this.#texts.get(value) ?? { text: JSON.stringify(value), uses: 0 };
    known.uses += 1;
    this.#texts.set(value, known);
    return known.text;
  }

  giveBack(value: unknown): void {
    const known = this.#texts.get(value);
    if (known === undefined) return;
    known.uses -= 1;
    if (known.uses === 0) this.#texts.delete(value);
  }
}

function tooMuchOut(): PreprocessorFailed {
  const message = `the outputs of one task's preprocessors are more than ${outputCharsMax} characters`;
  return preprocessorFailed({ name: "OutputError", code: "preprocessor-output", message });
}
