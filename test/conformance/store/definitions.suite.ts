import { describe, expect, test } from "vitest";
import type { World } from "./world.ts";

export function describeDefinitions(world: World): void {
  describe("definitions", () => {
    const resize = { namespace: "default", name: "resize", version: "", policy: '{"z":1,"a":2}' };

    test("are saved, listed by name and version, and walled by namespace", async () => {
      const { definitions } = world.store;
      const rows = [
        { ...resize, version: "2" },
        resize,
        { ...resize, name: "count" },
        { ...resize, namespace: "other" },
      ];
      await definitions.save(rows);
      expect(await definitions.list("default")).toEqual([rows[2], rows[1], rows[0]]);
      expect(await definitions.list("other")).toEqual([rows[3]]);
      expect(await definitions.list("unknown")).toEqual([]);
    });

    test("saving again replaces the policy", async () => {
      const { definitions } = world.store;
      await definitions.save([resize]);
      await definitions.save([{ ...resize, policy: '{"timeoutMs":5}' }]);
      await definitions.save([]);
      expect(await definitions.list("default")).toEqual([{ ...resize, policy: '{"timeoutMs":5}' }]);
    });

    test("one that is named twice in a call is saved once, as it was named last", async () => {
      const { definitions } = world.store;
      await definitions.save([resize, { ...resize, policy: '{"timeoutMs":5}' }]);
      expect(await definitions.list("default")).toEqual([{ ...resize, policy: '{"timeoutMs":5}' }]);
    });
  });
}
