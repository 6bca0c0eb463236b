import { createNoopMeter, type Meter, metrics, type Observable } from "@opentelemetry/api";
import { type Gauges, type Meters, silentMeters } from "../ports/meters.ts";

/** Which events end an attempt, and what its outcome is called. */
const outcomes = new Map([
  ["attempt.succeeded", "succeeded"],
  ["attempt.failed", "failed"],
  ["attempt.timedOut", "timedOut"],
  ["attempt.lost", "lost"],
  ["attempt.refused", "refused"],
  ["attempt.cancelled", "cancelled"],
]);

/** Where a task stays: for good, or until an operator frees it. */
const ends = new Set(["succeeded", "failed", "cancelled", "skipped", "quarantined"]);

const turnBuckets = [1, 2, 5, 10, 20, 50, 100, 200, 400];
const secondBuckets = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10];

/**
 * Meters on the metrics SDK that is registered by now. Unlike tracers, meters do not follow an SDK
 * that is registered later: then everything stays silent.
 */
export function createMeters(): Meters {
  const meter = metrics.getMeter("kantoku");
  return meter === createNoopMeter() ? silentMeters : metersOf(meter);
}

function metersOf(meter: Meter): Meters {
  const count = (name: string, unit: string) => meter.createCounter(name, { unit: `{${unit}}` });
  const submitted = count("kantoku.tasks.submitted", "task");
  const ended = count("kantoku.tasks.ended", "task");
  const attempts = count("kantoku.attempts.ended", "attempt");
  const commits = count("kantoku.commits", "commit");
  const rejected = count("kantoku.turns.rejected", "turn");
  const claims = count("kantoku.claims", "claim");
  const claimedTasks = count("kantoku.tasks.claimed", "task");
  const commitTurns = meter.createHistogram("kantoku.commit.turns", {
    unit: "{turn}",
    advice: { explicitBucketBoundaries: turnBuckets },
  });
  const commitDuration = meter.createHistogram("kantoku.commit.duration", {
    unit: "s",
    advice: { explicitBucketBoundaries: secondBuckets },
  });
  return {
    turned: (definition, before, { state, events }) => {
      if (state.status !== before.status && ends.has(state.status)) {
        ended.add(1, { "kantoku.definition": definition, "kantoku.status": state.status });
      }
      for (const { type } of events) {
        const outcome = outcomes.get(type);
        if (outcome !== undefined) {
          attempts.add(1, { "kantoku.definition": definition, "kantoku.outcome": outcome });
        } else if (type === "task.submitted") {
          submitted.add(1, { "kantoku.definition": definition });
        }
      }
    },
    committed: (turns, durationMs) => {
      commits.add(1, { "kantoku.outcome": "committed" });
      commitTurns.record(turns);
      commitDuration.record(durationMs / 1000);
    },
    commitFailed: (fault) => commits.add(1, { "kantoku.outcome": fault }),
    turnsRejected: (turns, fault) => rejected.add(turns, { "kantoku.fault": fault }),
    claimed: (tasks) => {
      claims.add(1);
      if (tasks > 0) claimedTasks.add(tasks);
    },
    observe: (gauges) => observe(meter, gauges),
  };
}

// Up-down counters, so that the sum over all nodes is what it seems to be.
function observe(meter: Meter, gauges: Gauges): () => void {
  const gauge = (name: string, unit: string): Observable =>
    meter.createObservableUpDownCounter(name, { unit: `{${unit}}` });
  const readings: readonly (readonly [Observable, () => number])[] = [
    [gauge("kantoku.attempts.running", "attempt"), gauges.runningAttempts],
    [gauge("kantoku.turns.gathered", "turn"), gauges.gatheredTurns],
    [gauge("kantoku.workers.connected", "worker"), gauges.connectedWorkers],
    [gauge("kantoku.subscriptions.live", "subscription"), gauges.liveSubscriptions],
  ];
  const removals = readings.map(([observable, read]) => {
    const callback: Parameters<Observable["addCallback"]>[0] = (result) => result.observe(read());
    observable.addCallback(callback);
    return () => observable.removeCallback(callback);
  });
  return () => {
    for (const remove of removals) remove();
  };
}
