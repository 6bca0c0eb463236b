import { readFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));
const imported = /^(?:import|export)\s(?:[^"]*?\sfrom\s)?"([^"]+)"/gm;

/** Every module that loading a file loads too; types are gone by then. */
async function reachableFrom(entry: string): Promise<{ files: string[]; packages: string[] }> {
  const files = new Set([entry]);
  const packages = new Set<string>();
  for (const file of files) {
    const source = await readFile(file, "utf8");
    for (const [statement, specifier = ""] of source.matchAll(imported)) {
      if (/^(?:import|export) type\b/.test(statement)) continue;
      if (specifier.startsWith(".")) files.add(join(dirname(file), specifier));
      else packages.add(specifier);
    }
  }
  return { files: Array.from(files, (file) => relative(root, file)), packages: [...packages] };
}

test("the SDK's entry loads nothing that a browser does not have", async () => {
  const { files, packages } = await reachableFrom(join(root, "sdk/index.ts"));
  expect(packages).toEqual(["@opentelemetry/api", "uuidv7"]);
  expect(files.filter((file) => !file.startsWith("sdk/"))).toEqual([]);
  expect(files.length).toBeGreaterThan(20);
});
