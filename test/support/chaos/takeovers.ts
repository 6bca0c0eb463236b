import type { FaultRecord } from "./cluster.ts";
import type { Story } from "./story.ts";

/** An attempt that was lost with its worker, and the next one of its task. */
export interface Takeover {
  readonly story: Story;
  readonly reason: string;
  /** It was held against the task, although the worker's process had not died under it. */
  readonly isMisjudged: boolean;
  /** From what took the worker away to the next assignment, milliseconds. */
  readonly tookMs: number;
}

/**
 * Every takeover in the journals: each lost attempt, from its death to the next `attempt.assigned`
 * of its task. An attempt dies when its worker's process does, or at its assignment when that was
 * decided before the death was known; one that was lost although its process lived was committed
 * and never sent, and died with the first node that was killed after it. The clock starts again at
 * the end of each outage of the database that falls between: nothing can be taken over without
 * it, and a node must then watch for a whole lease before it judges others.
 */
export function takeoversIn(
  stories: readonly Story[],
  { faults, workers }: { faults: readonly FaultRecord[]; workers: ReadonlyMap<string, string> },
): readonly Takeover[] {
  return stories.flatMap((story) =>
    story.events.flatMap((lost, index) => {
      if (lost.type !== "attempt.lost") return [];
      const assigned = story.events.find(
        ({ type, data }) => type === "attempt.assigned" && data["token"] === lost.data["token"],
      );
      const next = story.events.slice(index).find(({ type }) => type === "attempt.assigned");
      if (assigned === undefined || next === undefined) return [];
      const span = { from: assigned.at, until: lost.at };
      const own = deathWithin(span, faults, workers.get(String(assigned.data["worker"])));
      const diedAt = own ?? deathWithin(span, faults) ?? assigned.at;
      const since = clockStart(Math.max(diedAt, assigned.at), { until: next.at, faults });
      return [
        {
          story,
          reason: String(lost.data["reason"]),
          isMisjudged: lost.data["counts"] === true && own === undefined,
          tookMs: Math.round(next.at - since),
        },
      ];
    }),
  );
}

interface Span {
  readonly from: number;
  readonly until: number;
}

/** When the process, or any, died that was down at some moment of the span. */
function deathWithin(
  { from, until }: Span,
  faults: readonly FaultRecord[],
  name?: string,
): number | undefined {
  const death = faults.find((fault, index) => {
    if (fault.kind !== "kill" || fault.at > until) return false;
    if (name !== undefined && fault.name !== name) return false;
    const up = faults.slice(index).find((it) => it.kind === "up" && it.name === fault.name);
    return up === undefined || up.at >= from;
  });
  return death?.at;
}

function clockStart(
  diedAt: number,
  { until, faults }: { until: number; faults: readonly FaultRecord[] },
): number {
  const outages = faults.filter((fault) => fault.kind === "outage");
  const during = outages.filter((outage) => outage.until > diedAt && outage.at < until);
  return Math.max(diedAt, ...during.map((outage) => outage.until));
}
