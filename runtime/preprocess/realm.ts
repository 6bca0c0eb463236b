import variant from "@jitl/quickjs-wasmfile-release-sync";
import {
  DefaultIntrinsics,
  newQuickJSWASMModuleFromVariant,
  newVariant,
  type QuickJSContext,
  type QuickJSHandle,
  type QuickJSRuntime,
  type QuickJSSyncVariant,
  type QuickJSWASMModule,
} from "quickjs-emscripten-core";
import { limits } from "../../sdk/protocol/limits.ts";
import { crashFault, outputFault, stackFault, timeoutFault } from "./faults.ts";
import { guestGlobals } from "./globals.ts";
import { makeBridge } from "./guest-bridge.ts";
import { sealRealm } from "./guest-seal.ts";
import type { Fault, Preprocessor, Reshaped } from "./types.ts";
import { wrapped } from "./wrap.ts";

// The package's types describe its CommonJS build, where the default export is one level down.
const syncVariant = variant as unknown as QuickJSSyncVariant;
/** An instance that aborts would write so to stderr. The package's types know neither option. */
const silent: object = { print: () => {}, printErr: () => {} };
/** Compiled functions that a realm keeps; with one more it is renewed. */
const functionsMax = 64;
/** A fresh realm holds about 1 MiB. */
const heldBytesMax = 4 * 1024 * 1024;
const checkedAfterMs = 2;

/** Thrown when the instance itself broke: nothing in this thread is to be trusted any more. */
export class BrokenInstance extends Error {
  readonly fault: Fault;

  constructor(fault: Fault) {
    super(fault.message);
    this.fault = fault;
  }
}

/**
 * One WebAssembly instance with a memory that cannot grow. quickjs's own memory limit does not see
 * every allocation; this one does (measured: 2.2 GB through the former).
 */
export function openInstance(
  module: WebAssembly.Module,
  { pages }: { pages: number },
): Promise<QuickJSWASMModule> {
  const wasmMemory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  return newQuickJSWASMModuleFromVariant(
    newVariant(syncVariant, {
      wasmModule: module,
      wasmMemory,
      emscriptenModule: { ...silent },
    }),
  );
}

interface RealmOptions {
  readonly stackBytes: number;
  readonly outputBytesMax: number;
  /** Monotonic milliseconds. */
  monotonic(): number;
}

/** One namespace's frozen globals and its compiled functions. */
export class Realm {
  readonly #options: RealmOptions;
  readonly #runtime: QuickJSRuntime;
  readonly #context: QuickJSContext;
  readonly #bridge: QuickJSHandle;
  readonly #makers = new Map<string, QuickJSHandle>();
  #endAt = Number.POSITIVE_INFINITY;
  #isInterrupted = false;
  #isSpent = false;

  constructor(instance: QuickJSWASMModule, options: RealmOptions) {
    this.#options = options;
    this.#runtime = instance.newRuntime();
    this.#runtime.setMaxStackSize(options.stackBytes);
    this.#runtime.setInterruptHandler(() => {
      this.#isInterrupted = options.monotonic() > this.#endAt;
      return this.#isInterrupted;
    });
    this.#context = this.#runtime.newContext({
      intrinsics: { ...DefaultIntrinsics, BigInt: true },
    });
    const bridgeLimits = {
      depthMax: limits.depthMax,
      charsMax: options.outputBytesMax,
      messageCharsMax: limits.errorMessageBytesMax,
    };
    this.#evaluate(sealRealm, [...guestGlobals]).dispose();
    this.#bridge = this.#evaluate(makeBridge, bridgeLimits);
  }

  /** Never throws for what the code does; BrokenInstance says that the whole thread is to go. */
  reshape(work: { preprocessor: Preprocessor; input: string; deadlineMs: number }): Reshaped {
    const { monotonic } = this.#options;
    this.#isInterrupted = false;
    const begunAt = monotonic();
    this.#endAt = begunAt + work.deadlineMs;
    try {
      const reshaped = this.#read(this.#call(work), work.deadlineMs);
      // Garbage in cycles outlives its call until the next collection, which a call can put off by
      // having had much: the next one would run out of memory. Little garbage is made quickly.
      if (monotonic() - begunAt > checkedAfterMs && this.#heldBytes() > heldBytesMax) {
        this.#isSpent = true;
      }
      return reshaped;
    } catch (error) {
      throw new BrokenInstance(faultOfHost(error));
    } finally {
      this.#endAt = Number.POSITIVE_INFINITY;
    }
  }

  /** Whether something may be left behind that the next call could notice, or pay for. */
  get isSpent(): boolean {
    return this.#isSpent || this.#makers.size >= functionsMax || this.#runtime.hasPendingJob();
  }

  dispose(): void {
    for (const maker of this.#makers.values()) maker.dispose();
    this.#bridge.dispose();
    this.#context.dispose();
    this.#runtime.dispose();
  }

  /** The bridge's text, or null when the call ended without one. */
  #call({ preprocessor, input }: { preprocessor: Preprocessor; input: string }): string | null {
    const maker = this.#makers.get(preprocessor.hash) ?? this.#compile(preprocessor);
    if (typeof maker === "string") return maker;
    const context = this.#context;
    const inputText = context.newString(input);
    const called = context.callFunction(this.#bridge, context.undefined, maker, inputText);
    inputText.dispose();
    // Only a text is read: the dump of an error would run its getters outside the deadline.
    const ended = called.error ?? called.value;
    const text = called.error === undefined ? context.getString(ended) : null;
    ended.dispose();
    return text;
  }

  #compile({ hash, code }: Preprocessor): QuickJSHandle | string {
    const compiled = this.#context.evalCode(wrapped(code), "preprocessor");
    if (compiled.error !== undefined) {
      // Nothing of the code has run: the error is the parser's own, and has no getters.
      const message = compiled.error.consume((error) => this.#context.getProp(error, "message"));
      const text = message.consume((handle) => this.#context.getString(handle));
      return refusal(["threw", "SyntaxError", text]);
    }
    this.#makers.set(hash, compiled.value);
    return compiled.value;
  }

  #heldBytes(): number {
    return this.#runtime
      .computeMemoryUsage()
      .consume((usage) => this.#context.getProp(usage, "memory_used_size"))
      .consume((size) => this.#context.getNumber(size));
  }

  #read(text: string | null, deadlineMs: number): Reshaped {
    if (text?.startsWith("=")) {
      const output = text.slice(1);
      const bytes = Buffer.byteLength(output);
      const { outputBytesMax } = this.#options;
      if (bytes <= outputBytesMax) return { output };
      return this.#spend(outputFault(bytes, outputBytesMax));
    }
    if (this.#isInterrupted) return this.#spend(timeoutFault(deadlineMs));
    if (text === null) return this.#spend(crashFault("it ended without an answer"));
    const [kind, name, message] = JSON.parse(text.slice(1)) as FaultParts;
    return this.#spend({ kind, name, message });
  }

  #spend(fault: Fault): Reshaped {
    this.#isSpent = true;
    return { fault };
  }

  #evaluate(guest: (argument: never) => unknown, argument: unknown): QuickJSHandle {
    const code = `"use strict";(${guest})(${JSON.stringify(argument)})`;
    return this.#context.unwrapResult(this.#context.evalCode(code, "guest"));
  }
}

type FaultParts = [kind: Fault["kind"], name: string, message: string];

/** As the bridge writes one. */
function refusal(parts: FaultParts): string {
  return `!${JSON.stringify(parts)}`;
}

function faultOfHost(error: unknown): Fault {
  return error instanceof RangeError ? stackFault() : crashFault(String(error));
}
