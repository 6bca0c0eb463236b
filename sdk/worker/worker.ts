import type { LogSink } from "../context.ts";
import type { AnyDefinition } from "../definition.ts";
import { isKantokuError, KantokuError } from "../errors.ts";
import type {
  Assignment,
  AttemptCancellation,
  Registered,
  RegisterParams,
  Service,
  WorkerLink,
  WorkerPort,
} from "../protocol/service.ts";
import { AttemptSpan } from "../telemetry/attempt-span.ts";
import { backoffMs } from "../time/backoff.ts";
import { type Clock, wait } from "../time/clock.ts";
import { Attempt } from "./attempt.ts";
import type { Surroundings } from "./context.ts";
import { Deadlines } from "./deadlines.ts";
import { execute } from "./execute.ts";
import { Repertoire } from "./repertoire.ts";
import type { WorkerHandle } from "./serve.ts";
import { untilAnswered } from "./until-answered.ts";

interface WorkerParts {
  readonly service: Service;
  readonly clock: Clock;
  readonly random: () => number;
  readonly sink: LogSink;
  readonly registration: Omit<RegisterParams, "definitions" | "worker" | "attempts">;
}

type End = "closed" | "superseded";

/** How long one that leaves waits for what it gives back to be taken. */
const goodbyeMsMax = 2_000;

/**
 * Executes what a service assigns.
 *
 * W1 An attempt is held from its assignment until its report is answered: until then its token is
 *    in every heartbeat and registration, or the server would count it as lost.
 * W2 Of a dropped attempt nothing more is reported, but that it is given back by a worker that
 *    leaves, and its token is never claimed again.
 * W3 Assigning never runs the author's code: that starts in a microtask of its own.
 */
export class Worker implements WorkerHandle, WorkerPort {
  readonly ended: Promise<End>;
  readonly #surroundings: Surroundings;
  readonly #registration: RegisterParams;
  readonly #repertoire: Repertoire;
  readonly #deadlines: Deadlines;
  readonly #held = new Map<string, Attempt>();
  readonly #stop = new AbortController();
  #end: (end: End) => void = () => undefined;
  #state: "serving" | "draining" | "ended" = "serving";
  #link: WorkerLink | undefined;
  #registered: Registered | undefined;
  /** Since when there has been no server to hear it. */
  #lostAt: number | undefined;
  #cancelBeat: () => void = () => undefined;
  #whenIdle: (() => void) | undefined;
  #drained: Promise<void> | undefined;
  #closed: Promise<void> | undefined;

  constructor(definitions: readonly AnyDefinition[], parts: WorkerParts) {
    this.#repertoire = new Repertoire(definitions);
    this.#registration = { ...parts.registration, definitions: this.#repertoire.served };
    this.#surroundings = { ...parts, stopped: this.#stop.signal };
    this.#deadlines = new Deadlines(parts.clock);
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  get id(): string {
    return this.#registered?.worker ?? "";
  }

  /** Registers the first time; a server whose database is away for a moment is asked again. */
  async start(): Promise<void> {
    const { clock, random, stopped } = this.#surroundings;
    for (let failures = 0; ; failures++) {
      try {
        return await this.register();
      } catch (thrown) {
        if (!isKantokuError(thrown, "busy")) throw thrown;
        await wait(clock, backoffMs(failures, random), stopped);
      }
    }
  }

  async register(): Promise<void> {
    const earlier = this.#registered?.worker;
    const link = await this.#surroundings.service.registerWorker(
      {
        ...this.#registration,
        ...(earlier !== undefined && { worker: earlier }),
        attempts: this.held(),
      },
      this,
    );
    if (this.#state === "ended") {
      link.detach();
      return;
    }
    this.#link = link;
    this.registeredAgain(link.registered);
    this.#scheduleBeat();
  }

  assign(assignment: Assignment): void {
    if (this.#state === "ended" || this.#held.has(assignment.token)) return;
    const definition = this.#repertoire.find(assignment.definition, assignment.version);
    if (this.#state === "draining") this.#refuse(assignment.token, "draining");
    else if (!definition) this.#refuse(assignment.token, "unknown-definition");
    else void this.#carryOut(new Attempt(assignment, definition));
  }

  cancel({ token, reason, graceMs }: AttemptCancellation): void {
    const attempt = this.#held.get(token);
    attempt?.abort(cancelled(attempt.assignment, { reason, graceMs }));
  }

  superseded(): void {
    this.#finish("superseded");
  }

  held(): readonly string[] {
    const tokens: string[] = [];
    for (const [token, attempt] of this.#held) if (!attempt.isDropped) tokens.push(token);
    return tokens;
  }

  connectionLost(loss: { readonly url: string; readonly reason?: string }): void {
    // A connection that is lost before the worker has registered again is of the same outage.
    if (this.#state === "ended" || this.#lostAt !== undefined) return;
    this.#lostAt = this.#surroundings.clock.now();
    this.#log("warn", "the connection to the server was lost", { ...loss });
  }

  registeredAgain(registered: Registered): void {
    this.#registered = registered;
    this.#sayBack();
    this.#drop(registered.drop);
    this.#sayWaiting();
    // It may have been away when it said so, or have gone by what it reported since.
    if (this.#state === "draining") void this.#sayDraining();
  }

  drain(): Promise<void> {
    this.#drained ??= this.#finishWhatRuns();
    return this.#drained;
  }

  async close(): Promise<void> {
    this.#closed ??= this.#leave();
    await this.#closed;
  }

  /**
   * Gives back what it holds: who leaves in order is nobody whose death a task could be blamed for,
   * and the tasks need not wait for a lease to end.
   */
  async #leave(): Promise<void> {
    const { service, clock } = this.#surroundings;
    if (this.#link !== undefined && this.#state !== "ended") {
      this.#state = "draining";
      const tokens = this.held();
      this.#drop(tokens);
      const goodbye = service
        .drainWorker({ worker: this.id })
        .then(() =>
          Promise.all(tokens.map((token) => service.refuse({ token, reason: "closed" }))),
        );
      // A server that is away finds out by itself.
      await Promise.race([goodbye.catch(() => {}), wait(clock, goodbyeMsMax, this.#stop.signal)]);
    }
    this.#finish("closed");
  }

  async #finishWhatRuns(): Promise<void> {
    if (this.#state === "ended") return;
    this.#state = "draining";
    await this.#sayDraining();
    if (this.#held.size > 0) await this.#idle();
    this.#finish("closed");
  }

  #sayBack(): void {
    if (this.#lostAt === undefined) return;
    const awayMs = this.#surroundings.clock.now() - this.#lostAt;
    this.#lostAt = undefined;
    this.#log("info", "the connection to the server is back", { awayMs });
  }

  /** A node that has just taken the attempts over takes them to need their slots. */
  #sayWaiting(): void {
    const { service } = this.#surroundings;
    for (const [token, { isWaiting, isDropped }] of this.#held) {
      if (isWaiting && !isDropped) service.suspend({ token }).catch(() => {});
    }
  }

  async #sayDraining(): Promise<void> {
    const { service } = this.#surroundings;
    await untilAnswered(() => service.drainWorker({ worker: this.id }), this.#surroundings);
  }

  async #carryOut(attempt: Attempt): Promise<void> {
    const { token, deadlineAt } = attempt.assignment;
    this.#held.set(token, attempt);
    attempt.span = AttemptSpan.start(attempt.assignment, this.id);
    if (deadlineAt !== undefined) this.#deadlines.watch(attempt, deadlineAt);
    await undefined;
    const refusal = await execute(attempt, this.#surroundings);
    if (deadlineAt !== undefined) this.#deadlines.forget(attempt);
    this.#held.delete(token);
    if (refusal)
      this.#log("warn", "an attempt's report was refused", { token, reason: refusal.message });
    if (this.#held.size === 0) this.#whenIdle?.();
  }

  #refuse(token: string, reason: string): void {
    const refusal = { token, reason };
    void untilAnswered(() => this.#surroundings.service.refuse(refusal), this.#surroundings);
  }

  #drop(tokens: readonly string[]): void {
    for (const token of tokens) {
      const attempt = this.#held.get(token);
      attempt?.drop(cancelled(attempt.assignment, { reason: "dropped", graceMs: 0 }));
    }
  }

  #scheduleBeat(): void {
    if (this.#state === "ended" || !this.#registered) return;
    this.#cancelBeat();
    const beat = () => void this.#beat();
    this.#cancelBeat = this.#surroundings.clock.after(this.#registered.heartbeatMs, beat);
  }

  async #beat(): Promise<void> {
    this.#sayGoingOn();
    try {
      const heartbeat = { worker: this.id, attempts: this.held() };
      const { drop } = await this.#surroundings.service.heartbeat(heartbeat);
      this.#drop(drop);
    } catch (error) {
      if (isKantokuError(error, "not-found")) await this.#registerAnew();
    }
    this.#scheduleBeat();
  }

  // The lease ran out while this process was stalled: the server forgot it, with its attempts.
  async #registerAnew(): Promise<void> {
    if (this.#state !== "serving") return;
    const outcome = await untilAnswered(() => this.register(), this.#surroundings);
    if (outcome.kind !== "refused") return;
    const { code, message } = outcome.error;
    if (code === "conflict") return this.#finish("superseded");
    this.#log("warn", "the worker cannot register", { reason: message });
  }

  #idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#whenIdle = resolve;
      this.#stop.signal.addEventListener("abort", () => resolve(), { once: true });
    });
  }

  #finish(end: End): void {
    if (this.#state === "ended") return;
    this.#state = "ended";
    this.#cancelBeat();
    this.#deadlines.stop();
    for (const attempt of this.#held.values()) {
      attempt.drop(cancelled(attempt.assignment, { reason: end, graceMs: 0 }));
    }
    this.#stop.abort();
    this.#link?.detach();
    if (end === "superseded") this.#saySuperseded();
    this.#end(end);
  }

  /** A heartbeat's time after the drop: nothing stops it, and the server lends its slot out again. */
  #sayGoingOn(): void {
    for (const attempt of this.#held.values()) {
      if (!attempt.isDropped || attempt.hasEnded || attempt.isToldOf) continue;
      attempt.isToldOf = true;
      const { task, attempt: number, definition } = attempt.assignment;
      const message = "a function goes on though its attempt is over; it may heed ctx.abortSignal";
      this.#log("warn", message, { task, attempt: number, definition });
    }
  }

  #saySuperseded(): void {
    const { name } = this.#registration;
    const message = "another process has taken this worker's name, and this one serves no longer";
    this.#log("warn", message, { ...(name !== undefined && { name }) });
  }

  #log(level: "info" | "warn", message: string, fields: Readonly<Record<string, unknown>>): void {
    const { clock, sink } = this.#surroundings;
    sink({ at: clock.now(), level, message, fields: { worker: this.id, ...fields } });
  }
}

function cancelled(
  { task, attempt }: Assignment,
  data: { readonly reason: string; readonly graceMs: number },
): KantokuError {
  const message = `attempt ${attempt} of task ${task} was cancelled: ${data.reason}`;
  return new KantokuError("task-cancelled", message, { data: { task, ...data } });
}
