import { expect, test } from "vitest";
import { NodeLease, type NodeLeaseOptions } from "../../runtime/engine/node-lease.ts";

const leaseMs = 10_000;

/** A lease over a database of two nodes, its own and a peer's, on a clock that is set by hand. */
function startLease({ expired }: { expired: readonly string[] }) {
  let now = 0;
  const removed: string[] = [];
  const nodes = {
    renew: async () => ({ now, nodes: 2 }),
    expired: async () => expired,
    remove: async (node: string) => void removed.push(node),
    free: async () => 0,
  };
  const lease = new NodeLease({
    incarnation: "own",
    nodes,
    leaseMs,
    clock: { monotonic: () => now, correct: () => {} },
    baseClock: { now: () => now },
    log: { debug() {}, info() {}, warn() {}, error() {} },
    onLost: () => {},
    onDeadProcess: async () => {},
  } as unknown as NodeLeaseOptions);
  const renewEvery = async (stepMs: number, times: number) => {
    for (let time = 0; time < times; time += 1) {
      now += stepMs;
      await lease.renew();
    }
  };
  const pass = (ms: number) => {
    now += ms;
  };
  return { lease, removed, renewEvery, pass };
}

test("a peer is reaped after a lease of unbroken contact", async () => {
  const { lease, removed, renewEvery } = startLease({ expired: ["peer"] });
  await renewEvery(2_500, 3);
  await lease.reap();
  expect(removed).toEqual([]);
  await renewEvery(2_500, 1);
  await lease.reap();
  expect(removed).toEqual(["peer"]);
});

test.each([15_000, 8_000])(
  "renewals that come late are no contact, although none failed: after %i ms",
  async (lateMs) => {
    const { lease, removed, renewEvery } = startLease({ expired: ["peer"] });
    await renewEvery(2_500, 10);
    await renewEvery(lateMs, 1);
    await lease.reap();
    expect(removed).toEqual([]);
    await renewEvery(2_500, 4);
    await lease.reap();
    expect(removed).toEqual(["peer"]);
  },
);

test("there is no contact while a renewal is overdue", async () => {
  const { lease, removed, renewEvery, pass } = startLease({ expired: ["peer"] });
  await renewEvery(2_500, 10);
  pass(4_000);
  expect(lease.watchedMs).toBeGreaterThan(leaseMs);
  pass(4_000);
  expect(lease.watchedMs).toBe(0);
  await lease.reap();
  expect(removed).toEqual([]);
});

test("whose own lease is over, too, has been out of touch itself", async () => {
  const { lease, removed, renewEvery } = startLease({ expired: ["own", "peer"] });
  await renewEvery(2_500, 10);
  await lease.reap();
  expect(removed).toEqual([]);
});
