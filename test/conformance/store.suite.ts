import { afterEach, beforeEach, describe, expect } from "vitest";
import type { Store } from "../../runtime/store/store.ts";
import { describeChildren } from "./store/children.suite.ts";
import { describeCommits } from "./store/commits.suite.ts";
import { describeDefinitions } from "./store/definitions.suite.ts";
import { describeDoctor } from "./store/doctor.suite.ts";
import { describeGraphs } from "./store/graphs.suite.ts";
import { describeHints } from "./store/hints.suite.ts";
import { describeJournal } from "./store/journal.suite.ts";
import { describeLinks } from "./store/links.suite.ts";
import { describeMail } from "./store/mail.suite.ts";
import { describeNodes } from "./store/nodes.suite.ts";
import { describeOwnership } from "./store/ownership.suite.ts";
import { describePipelines } from "./store/pipelines.suite.ts";
import { describeQueue } from "./store/queue.suite.ts";
import { describeRestart } from "./store/restart.suite.ts";
import { describeSteps } from "./store/steps.suite.ts";
import { describeTasks } from "./store/tasks.suite.ts";
import { describeTimers } from "./store/timers.suite.ts";
import { describeTwoNodes } from "./store/two-nodes.suite.ts";
import { describeWatches } from "./store/watches.suite.ts";
import { describeWorkerTurns } from "./store/worker-turns.suite.ts";
import { describeWorkers } from "./store/workers.suite.ts";
import type { World } from "./store/world.ts";

interface StoreFactory {
  /** An empty store; called once for each test. */
  open(): Promise<{ readonly store: Store; close(): Promise<void> | void }>;
  /**
   * Lets `ms` pass for the store that was opened last: moves its clock, or makes what it holds
   * that much older. Without it the suite reads the store's clock until it has moved on, which
   * takes real time: the suite asks for a few milliseconds at a time.
   */
  advance?(ms: number): Promise<void> | void;
}

/** What every store must do, whatever it is made of. Call it at the top of a test file. */
export function describeStore(name: string, factory: StoreFactory): void {
  describe(name, () => {
    let opened: Awaited<ReturnType<StoreFactory["open"]>>;

    beforeEach(async () => {
      opened = await factory.open();
    });

    afterEach(async () => {
      // Invariant Q holds after whatever a test did.
      const findings = await opened.store.doctor();
      await opened.close();
      expect(findings.filter(({ invariant }) => invariant === "queue-matches-ready")).toEqual([]);
    });

    const world: World = {
      get store() {
        return opened.store;
      },
      async advance(ms) {
        if (factory.advance !== undefined) return factory.advance(ms);
        const until = (await opened.store.now()) + ms;
        while ((await opened.store.now()) <= until);
      },
    };

    for (const describeNoun of [
      describeNodes,
      describeCommits,
      describeSteps,
      describeWorkerTurns,
      describeQueue,
      describeOwnership,
      describeTasks,
      describeJournal,
      describeTimers,
      describeMail,
      describeWorkers,
      describeDefinitions,
      describeLinks,
      describeChildren,
      describeGraphs,
      describeRestart,
      describePipelines,
      describeWatches,
      describeHints,
      describeDoctor,
      describeTwoNodes,
    ]) {
      describeNoun(world);
    }
  });
}
