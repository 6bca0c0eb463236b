import { compilePreprocessor, openSandbox } from "../../runtime/preprocess/index.ts";
import { measureLatency, measureRate, timed } from "../figures.ts";
import type { Scope } from "../scope.ts";

const calls = 20_000;
const inOneTick = 1_000;
const latencySamples = 2_000;
const namespaces = ["one", "two", "three", "four"];
const input = JSON.stringify({ url: "https://example.org/a/page/of/text", body: "x".repeat(60) });

/** A small reshape, through the sandbox: many at once, of one namespace and of four; and one by one. */
export async function preprocess({
  report,
  scale,
}: Pick<Scope, "report" | "scale">): Promise<void> {
  const compiled = compilePreprocessor("({ body }) => ({ text: body, size: body.length })");
  if ("problems" in compiled) throw new Error(JSON.stringify(compiled.problems));
  const { preprocessor } = compiled;
  const sandbox = openSandbox();
  const reshape = async (namespace = "one"): Promise<void> => {
    const reshaped = await sandbox.reshape({ namespace, preprocessor, input });
    if ("fault" in reshaped) throw new Error(reshaped.fault.message);
  };
  const rateOf = (workload: string, used: readonly string[]) =>
    measureRate(
      { workload, unit: "calls/s" },
      {
        count: Math.ceil(calls * scale),
        run: (count) =>
          timed(async () => {
            for (let done = 0; done < count; done += inOneTick) {
              const some = Array.from({ length: Math.min(inOneTick, count - done) });
              await Promise.all(some.map((_, index) => reshape(used[index % used.length])));
            }
          }),
      },
    );
  try {
    report(await rateOf("preprocess", namespaces.slice(0, 1)));
    report(await rateOf("preprocess-four-namespaces", namespaces));
    const samples = Math.ceil(latencySamples * scale);
    report(await measureLatency("preprocess-latency", { samples, once: () => reshape() }));
  } finally {
    await sandbox.close();
  }
}
