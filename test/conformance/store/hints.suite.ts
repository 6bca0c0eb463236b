import { describe, expect, test } from "vitest";
import type { Hint } from "../../../runtime/store/store.ts";
import { newId } from "../../support/turns.ts";
import type { World } from "./world.ts";

interface Ear {
  readonly heard: Hint[];
  hears(count: number): Promise<void>;
  close(): Promise<void>;
}

async function listen({ store }: World): Promise<Ear> {
  const heard: Hint[] = [];
  let notice = () => {};
  const { close } = await store.hints.listen((hint) => {
    heard.push(hint);
    notice();
  });
  return {
    heard,
    close,
    async hears(count) {
      while (heard.length < count) {
        const { promise, resolve } = Promise.withResolvers<void>();
        notice = resolve;
        await promise;
      }
    },
  };
}

export function describeHints(world: World): void {
  describe("hints", () => {
    const hints: readonly Hint[] = [
      { about: "ready", definition: "resize", namespace: "default" },
      { about: "mail" },
      { about: "watched", node: newId(), tasks: [newId(), newId()] },
    ];

    test("reach every listener, the sender's own too, after send was called", async () => {
      const ears = [await listen(world), await listen(world)];
      const sent = world.store.hints.send(hints);
      expect(ears.map(({ heard }) => heard.length)).toEqual([0, 0]);
      await sent;
      for (const ear of ears) {
        await ear.hears(hints.length);
        expect(ear.heard).toEqual(expect.arrayContaining([...hints]));
        await ear.close();
      }
    });

    test("a closed listener hears nothing more, and may be closed twice", async () => {
      const [open, closed] = [await listen(world), await listen(world)];
      await closed.close();
      await closed.close();
      await world.store.hints.send([{ about: "mail" }]);
      await open.hears(1);
      expect(closed.heard).toEqual([]);
      await open.close();
    });

    test("sending none is fine", async () => {
      await world.store.hints.send([]);
    });
  });
}
