import { describe, expect, test } from "vitest";
import type { PipelineRow } from "../../../runtime/store/rows.ts";
import { builtAt } from "../../support/turns.ts";
import type { World } from "./world.ts";

function row(overrides: Partial<PipelineRow> = {}): PipelineRow {
  return {
    namespace: "default",
    name: "media",
    version: "v1",
    body: '{"graph":{"tasks":{"z":{"definition":"job","input":1.50}},"result":"z"}}',
    registeredAt: builtAt,
    ...overrides,
  };
}

const all = { beyond: "", limit: 100, bytesMax: 1_000_000 };

export function describePipelines(world: World): void {
  async function listed(
    namespace: string,
    page: { beyond?: string; limit?: number } = {},
  ): Promise<readonly PipelineRow[]> {
    return (await world.store.pipelines.list(namespace, { ...all, ...page })).rows;
  }

  describe("pipelines", () => {
    test("are read as they were saved", async () => {
      const { pipelines } = world.store;
      await pipelines.save(row());
      expect(await pipelines.read("default", "media", "v1")).toEqual(row());
      expect(await pipelines.read("default", "media", null)).toEqual(row());
    });

    test("are not there under other names, versions and namespaces", async () => {
      const { pipelines } = world.store;
      await pipelines.save(row());
      expect(await pipelines.read("default", "media", "v2")).toBeNull();
      expect(await pipelines.read("default", "other", null)).toBeNull();
      expect(await pipelines.read("other", "media", null)).toBeNull();
      expect(await listed("other")).toEqual([]);
    });

    test("a version is for ever", async () => {
      const { pipelines } = world.store;
      await pipelines.save(row());
      await pipelines.save(row({ body: '{"other":true}', registeredAt: builtAt + 1 }));
      expect(await pipelines.read("default", "media", "v1")).toEqual(row());
    });

    test("a name stands for the version that was registered last", async () => {
      const { pipelines } = world.store;
      const latest = row({ version: "v0", registeredAt: builtAt + 1 });
      await pipelines.save(latest);
      await pipelines.save(row());
      expect(await pipelines.read("default", "media", null)).toEqual(latest);
      expect(await pipelines.read("default", "media", "v1")).toEqual(row());
    });

    test("of two that were registered at once every store takes the same", async () => {
      const { pipelines } = world.store;
      for (const version of ["v2", "v3", "v1"]) await pipelines.save(row({ version }));
      expect(await pipelines.read("default", "media", null)).toEqual(row({ version: "v3" }));
      expect(await listed("default")).toEqual([row({ version: "v3" })]);
    });

    test("are listed by name, the latest version of each", async () => {
      const { pipelines } = world.store;
      const zoo = row({ name: "zoo" });
      const capital = row({ name: "Zoo" });
      const latest = row({ version: "v2", registeredAt: builtAt + 1 });
      for (const each of [zoo, row(), latest, capital, row({ namespace: "other" })]) {
        await pipelines.save(each);
      }
      expect(await listed("default")).toEqual([capital, latest, zoo]);
    });

    test("are listed in pages", async () => {
      const { pipelines } = world.store;
      const rows = ["Z", "a", "a-b", "a.b", "a/b", "b"].map((name) => row({ name }));
      for (const each of rows) {
        await pipelines.save({ ...each, version: "v0" });
        await pipelines.save(each);
      }
      const seen: PipelineRow[] = [];
      for (let page = await listed("default", { limit: 2 }); page.length > 0; ) {
        seen.push(...page);
        page = await listed("default", { beyond: page.at(-1)?.name ?? "", limit: 2 });
      }
      expect(seen.map(({ name }) => name).toSorted()).toEqual(
        rows.map(({ name }) => name).toSorted(),
      );
      expect(seen).toEqual(await listed("default"));
    });

    test("and no more of them are read than come to the bytes that are enough", async () => {
      const { pipelines } = world.store;
      const bodies = ["a", "b", "c"].map((name) => row({ name, body: `"${"x".repeat(98)}"` }));
      for (const each of bodies) await pipelines.save(each);
      for (const [bytesMax, count] of [
        [1, 1],
        [90, 1],
        [150, 2],
        [250, 3],
      ] as const) {
        const part = await pipelines.list("default", { ...all, bytesMax });
        expect(part).toEqual({ rows: bodies.slice(0, count), isCut: count < 3 });
      }
    });
  });
}
