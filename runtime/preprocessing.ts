import { sha256 } from "./ports/hash.ts";
import type { Preprocessing } from "./ports/preprocessing.ts";
import { compilePreprocessor, openSandbox, type Preprocessor } from "./preprocess/index.ts";

/** Compiled sources that are remembered: parsing costs more than running. */
const compiledMax = 1_000;

const refused = {
  name: "SyntaxError",
  code: "preprocessor-refused",
  message: "the preprocessor does not compile on this node",
};

/** The sandbox behind its door: sources are compiled once, threads start with the first run. */
export function openPreprocessing(): Preprocessing {
  const sandbox = openSandbox();
  const compiled = new Map<string, Preprocessor>();

  /** Null: this node's compiler refuses what another one took in. */
  function compile(source: string): Preprocessor | null {
    const known = compiled.get(source);
    if (known !== undefined) return known;
    const made = compilePreprocessor(source);
    if ("problems" in made) return null;
    const oldest = compiled.keys().next();
    if (compiled.size >= compiledMax && !oldest.done) compiled.delete(oldest.value);
    compiled.set(source, made.preprocessor);
    return made.preprocessor;
  }

  return {
    check(source) {
      if (compiled.has(source)) return [];
      const made = compilePreprocessor(source);
      return "problems" in made ? made.problems : [];
    },

    async run({ namespace, source, input, isWanted }) {
      const preprocessor = compile(source);
      if (preprocessor === null) return { fault: refused };
      const reshaped = await sandbox.reshape({ namespace, preprocessor, input, isWanted });
      if ("output" in reshaped) {
        return { output: reshaped.output, source: preprocessor.hash, input: sha256(input) };
      }
      const { kind, name, message } = reshaped.fault;
      return { fault: { name, code: `preprocessor-${kind}`, message } };
    },

    close: () => sandbox.close(),
  };
}
