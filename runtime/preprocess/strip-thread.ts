import { createRequire } from "node:module";
import { workerData } from "node:worker_threads";
import type { Stripped, StripQuestion, StripThreadData } from "./strip-types.ts";

interface TypeStripper {
  transformSync(source: string, options: { mode: "strip-only" }): { code: string };
}

interface SyntaxFault {
  readonly message: string;
  readonly startLine: number;
  readonly startColumn: number;
}

const { port, ready } = workerData as StripThreadData;
const require = createRequire(import.meta.url);
// What Node strips types with; Node's own door to it writes a warning to stderr and tells no column.
const { transformSync }: TypeStripper = require("amaro");

port.on("message", ({ text, done }: StripQuestion) => {
  port.postMessage(strip(text));
  tell(done);
});
tell(ready);

function strip(text: string): Stripped {
  try {
    return { code: transformSync(text, { mode: "strip-only" }).code };
  } catch (error) {
    if (!isSyntaxFault(error)) return { broke: true };
    const { message, startLine: line, startColumn: column } = error;
    return { message, line, column };
  }
}

function isSyntaxFault(error: unknown): error is SyntaxFault {
  return typeof error === "object" && error !== null && "startLine" in error;
}

function tell(signal: Int32Array): void {
  Atomics.store(signal, 0, 1);
  Atomics.notify(signal, 0);
}
