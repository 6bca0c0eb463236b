import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { invariants } from "../../runtime/store/invariants.ts";
import { layerTable } from "../support/layer-table.ts";
import { machineMatrices, machinesPage } from "../support/machine-tables.ts";
import { rowsBelow } from "../support/markdown-table.ts";
import { numberedInvariants } from "../support/numbered-invariants.ts";

const root = resolve(import.meta.dirname, "../..");
const read = (path: string): string => readFileSync(join(root, path), "utf8");
const page = read("docs/ARCHITECTURE.md");

describe("ARCHITECTURE.md shows what is there", () => {
  test("the layers", () => {
    expect(tableBelow("## The layers")).toBe(layerTable());
  });

  test("every file of the engine, once", () => {
    const shown = rowsBelow("### The files of the engine", page).flatMap(([, files = ""]) =>
      Array.from(files.matchAll(/`([\w-]+)`/g), ([, name]) => `${name}.ts`),
    );
    expect(shown.toSorted()).toEqual(readdirSync(join(root, "runtime/engine")).toSorted());
  });

  test("the transitions of the machines", () => {
    const { task, worker } = machineMatrices();
    expect(tableBelow("## The machines")).toBe(`${task}\n${worker}`);
  });

  test("every numbered invariant, in its file's words", () => {
    const numbered = numberedInvariants(root, ["sdk", "runtime", "gateway"]);
    const shown = invariantRows()
      .filter(([id = ""]) => /^[A-Z]/.test(id))
      .map(([id = "", text = "", file = ""]) => ({ id, text, file: file.slice(1, -1) }));
    expect(shown.toSorted(byPlace)).toEqual(numbered.toSorted(byPlace));
  });

  test("every check of the doctor, in its words", () => {
    const shown = invariantRows()
      .filter(([id = ""]) => /^\d/.test(id))
      .map(([, name = "", text = ""]) => [name.slice(1, -1), text]);
    expect(shown).toEqual(Object.entries(invariants));
  });

  test("every dependency", () => {
    const { dependencies, devDependencies } = JSON.parse(read("package.json"));
    const shown = rowsBelow("## Dependencies", page).map(([name = ""]) => name.slice(1, -1));
    expect(shown).toEqual([...Object.keys(dependencies), ...Object.keys(devDependencies)]);
  });

  test("tests that exist, by names that they have", () => {
    const named = page.matchAll(/`(test\/[\w./-]+\.ts)` ((?:"[^"|]+"(?:, )?)+)/g);
    const missing = Array.from(named, ([, file = "", names = ""]) =>
      Array.from(names.matchAll(/"([^"]+)"/g), ([, name = ""]) => name)
        .filter((name) => !read(file).includes(name))
        .map((name) => `${file}: ${name}`),
    );
    expect(missing.flat()).toEqual([]);
    expect(missing.length).toBeGreaterThan(15);
  });
});

test("machines.md is what the machines are", async () => {
  await expect(machinesPage()).toMatchFileSnapshot(join(root, "docs/machines.md"));
});

test.each(["docs/ARCHITECTURE.md", "docs/GLOSSARY.md", "CONTRIBUTING.md", "CHANGELOG.md"])(
  "every path that %s names is there",
  (document) => {
    const rooms = "sdk|runtime|gateway|cli|examples|bench|test|docs";
    const named = read(document).matchAll(new RegExp(`\`((?:${rooms})/[\\w./-]*)\``, "g"));
    const paths = [...new Set(Array.from(named, ([, path = ""]) => path))];
    expect(paths.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  },
);

/** The lines of all tables in a section. */
function tableBelow(heading: string): string {
  const [, section = ""] = page.split(`\n${heading}\n`);
  const [own = ""] = section.split("\n## ");
  return own
    .split("\n")
    .filter((line) => line.startsWith("|"))
    .join("\n");
}

function invariantRows(): string[][] {
  return rowsBelow("## The invariants", page);
}

function byPlace(a: { id: string; file: string }, b: { id: string; file: string }): number {
  return `${a.file} ${a.id}` < `${b.file} ${b.id}` ? -1 : 1;
}
