export { compilePreprocessor } from "./compile.ts";
export { openSandbox, type SandboxOptions } from "./sandbox.ts";
export type {
  Fault,
  FaultKind,
  Preprocessor,
  Problem,
  Reshape,
  Reshaped,
  Sandbox,
} from "./types.ts";
