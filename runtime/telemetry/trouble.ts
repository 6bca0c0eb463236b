import type { Clock } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";

/** A collector that stays away fails once a second: told each time, it would fill the disk. */
const quietMs = 60_000;

/** Tells of trouble with a collector at once, and then of what came since, once a minute. */
export function createTroubleLog(
  log: Log,
  clock: Pick<Clock, "monotonic">,
): (reason: string, ...details: unknown[]) => void {
  let toldAt = Number.NEGATIVE_INFINITY;
  let untold = 0;
  return (reason, ...details) => {
    if (clock.monotonic() - toldAt < quietMs) {
      untold += 1;
      return;
    }
    log.warn("telemetry is in trouble", {
      reason,
      ...(details.length > 0 && { details }),
      ...(untold > 0 && { untold }),
    });
    toldAt = clock.monotonic();
    untold = 0;
  };
}
