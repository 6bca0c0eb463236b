import type { Call, Kantoku } from "../../../sdk/index.ts";
import type { Ledger } from "./ledger.ts";

interface Load {
  /** Submits nothing more; resolves when everybody has been answered. */
  stop(): Promise<void>;
}

/** Several callers at once, each submitting or running one call after another. */
export function keepSubmitting(
  kantoku: Kantoku,
  { ledger, callOf, atOnce }: { ledger: Ledger; callOf: (n: number) => Call; atOnce: number },
): Load {
  let submitted = 0;
  let isStopped = false;
  const callers = Array.from({ length: atOnce }, async () => {
    while (!isStopped) {
      submitted += 1;
      const key = `load-${submitted}`;
      const call = callOf(submitted);
      if (submitted % 2 === 0) await ledger.submit(kantoku, key, call);
      else await ledger.run(kantoku, key, call);
    }
  });
  return {
    async stop() {
      isStopped = true;
      await Promise.all(callers);
    },
  };
}
