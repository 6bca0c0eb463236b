import type { Fault } from "./types.ts";

export function timeoutFault(deadlineMs: number): Fault {
  const message = `the preprocessor did not end within ${deadlineMs} ms`;
  return { kind: "timeout", name: "TimeoutError", message };
}

export function stackFault(): Fault {
  return { kind: "stack", name: "RangeError", message: "stack overflow" };
}

/** The sandbox's own failure, or one that a preprocessor provoked in it. */
export function crashFault(reason: string): Fault {
  const message = `the sandbox broke: ${reason.slice(0, 200)}`;
  return { kind: "crashed", name: "SandboxError", message };
}

export function inputFault(bytes: number, limit: number): Fault {
  const message = `input is ${bytes} bytes; the limit is ${limit}`;
  return { kind: "memory", name: "InputError", message };
}

export function outputFault(bytes: number, limit: number): Fault {
  const message = `output is ${bytes} bytes; the limit is ${limit}`;
  return { kind: "output", name: "OutputError", message };
}
