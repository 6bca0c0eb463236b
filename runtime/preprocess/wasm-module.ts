import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";

/** Compiled once; threads share the machine code. */
export async function compileQuickJs(): Promise<WebAssembly.Module> {
  const { resolve } = createRequire(import.meta.url);
  return WebAssembly.compile(await readFile(resolve("@jitl/quickjs-wasmfile-release-sync/wasm")));
}
