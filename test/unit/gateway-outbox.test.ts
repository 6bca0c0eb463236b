import { describe, expect, test } from "vitest";
import { type Bounds, defaultBounds } from "../../gateway/bounds.ts";
import { Outbox, type Wire } from "../../gateway/outbox.ts";

class FakeWire implements Wire {
  readonly sent: string[] = [];
  readonly steps: string[] = [];
  bufferedBytes = 0;
  takenBytes = 0;

  send(text: string): void {
    this.sent.push(text);
    this.steps.push("send");
    this.bufferedBytes += text.length;
  }

  cork(): void {
    this.steps.push("cork");
  }

  uncork(): void {
    this.steps.push("uncork");
  }

  take(bytes: number): void {
    this.bufferedBytes -= bytes;
    this.takenBytes += bytes;
  }
}

function createOutbox(bounds: Partial<Bounds> = {}) {
  const wire = new FakeWire();
  const overflows: number[] = [];
  const merged = { ...defaultBounds, behindBytesMax: 100, waitingBytesMax: 1000, ...bounds };
  const outbox = new Outbox(wire, {
    bounds: merged,
    onOverflow: () => overflows.push(outbox.waitingLength),
  });
  return { wire, outbox, overflows };
}

async function tick(): Promise<void> {
  await new Promise<void>((resolve) => process.nextTick(resolve));
}

describe("a tick's messages", () => {
  test("leave together, in one write, when its promises have settled", async () => {
    const { wire, outbox } = createOutbox();
    outbox.send("a");
    void Promise.resolve().then(() => outbox.send("b"));
    expect(wire.sent).toEqual([]);
    await Promise.resolve();
    await tick();
    expect(wire.steps).toEqual(["cork", "send", "send", "uncork"]);
    expect(wire.sent).toEqual(["a", "b"]);
  });

  test("are an array for a batching peer, one alone is not", () => {
    const { wire, outbox } = createOutbox();
    outbox.isBatching = true;
    outbox.send("1");
    outbox.send("2");
    outbox.flush();
    outbox.send("3");
    outbox.flush();
    expect(wire.sent).toEqual(["[1,2]", "3"]);
  });

  test("are cut at 100 messages", () => {
    const { wire, outbox } = createOutbox({ behindBytesMax: 1e6, waitingBytesMax: 1e6 });
    outbox.isBatching = true;
    for (let index = 0; index < 201; index += 1) outbox.send("0");
    outbox.flush();
    expect(wire.sent.map((text) => [JSON.parse(text)].flat().length)).toEqual([100, 100, 1]);
  });

  test("are cut where the array could be longer than the peer's frames", () => {
    const { wire, outbox } = createOutbox({ answerBytesMax: 100, waitingBytesMax: 1e6 });
    outbox.isBatching = true;
    for (let index = 0; index < 5; index += 1) outbox.send(`"${"é".repeat(10)}"`);
    outbox.flush();
    expect(wire.sent.flatMap((text) => JSON.parse(text) as string[])).toHaveLength(5);
    for (const text of wire.sent) expect(Buffer.byteLength(text)).toBeLessThanOrEqual(100);
  });
});

describe("a reader that is behind", () => {
  test("is offered nothing beyond the bound, exactly", () => {
    const { outbox } = createOutbox();
    expect(outbox.offer("x".repeat(100))).toBe(true);
    expect(outbox.offer("x")).toBe(false);
  });

  test("counts what is kept for it until a reply is out", () => {
    const { outbox } = createOutbox();
    expect(outbox.reserve(60)).toBe(true);
    expect(outbox.reserve(60)).toBe(false);
    outbox.release(60);
    expect(outbox.reserve(60)).toBe(true);
  });

  test("gets what can only wait in turn, in order, as it takes", () => {
    const { wire, outbox, overflows } = createOutbox();
    const written: number[] = [];
    for (let index = 0; index < 20; index += 1) {
      outbox.sendInTurn(() => {
        written.push(index);
        return String(index).padStart(90, "0");
      });
    }
    outbox.flush();
    expect(written).toEqual([0, 1]);
    while (written.length < 20) {
      wire.take(wire.bufferedBytes);
      outbox.drained();
      outbox.flush();
    }
    expect(wire.sent.map(Number)).toEqual(Array.from({ length: 20 }, (_, index) => index));
    expect(overflows).toEqual([]);
  });

  test("overflows when more waits than may", () => {
    const { outbox, overflows } = createOutbox();
    outbox.send("x".repeat(1000));
    expect(overflows).toEqual([]);
    outbox.send("x");
    expect(overflows).toEqual([1001]);
  });

  test("is stuck after ten seconds without enough taken, and not when it takes enough", () => {
    const { wire, outbox } = createOutbox();
    outbox.send("x".repeat(500));
    outbox.flush();
    expect(outbox.isStuck(0)).toBe(false);
    wire.take(99);
    expect(outbox.isStuck(9_999)).toBe(false);
    wire.take(1);
    expect(outbox.isStuck(10_000)).toBe(false);
    wire.take(50);
    expect(outbox.isStuck(19_999)).toBe(false);
    expect(outbox.isStuck(20_000)).toBe(true);
  });

  test("has caught up once the system took everything", () => {
    const { wire, outbox } = createOutbox();
    outbox.offer("x".repeat(90));
    expect(outbox.offer("x".repeat(90))).toBe(false);
    outbox.flush();
    expect(outbox.isStuck(0)).toBe(false);
    wire.take(90);
    outbox.drained();
    expect(outbox.isStuck(10_000)).toBe(false);
    expect(outbox.isStuck(30_000)).toBe(false);
  });
});

test("nothing is sent after the end", async () => {
  const { wire, outbox } = createOutbox();
  outbox.send("a");
  outbox.close();
  outbox.send("b");
  outbox.sendInTurn(() => "c");
  await tick();
  expect(wire.sent).toEqual([]);
});
