import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { expect, test } from "vitest";

const root = resolve(import.meta.dirname, "../..");
const rooms = ["sdk", "runtime", "gateway", "cli", "examples", "release", "test"];

/** The compiler writes them into the declarations of others, which import them nowhere. */
const namedInDeclarations = [
  "runtime/machines/fold.ts: Fold",
  "runtime/store/postgres/commits/fence.ts: TwoForms",
];

/** What users of the package import. */
const entries = Object.values<string>(
  JSON.parse(readFileSync(join(root, "package.json"), "utf8")).exports,
).map((path) => join(path));

test("what a file exports, another one imports", () => {
  const sources = new Map(
    rooms.flatMap(filesUnder).map((file) => [file, readFileSync(join(root, file), "utf8")]),
  );
  const imported = new Set([...sources].flatMap(([file, text]) => importsOf(file, text)));
  const lonely = [...sources]
    .filter(([file]) => !entries.includes(file) && !imported.has(`${file}: *`))
    .flatMap(([file, text]) => exportsOf(text).map((name) => `${file}: ${name}`))
    .filter((it) => !imported.has(it));
  expect(sources.size).toBeGreaterThan(400);
  expect(lonely.sort()).toEqual(namedInDeclarations);
});

function exportsOf(text: string): string[] {
  const pattern = /^export (?:async )?(?:function\*?|const|class|interface|type) (\w+)/gm;
  return Array.from(text.matchAll(pattern), ([, name = ""]) => name);
}

/** As `file: name`; the name is `*` where all of a file is taken. */
function importsOf(file: string, text: string): string[] {
  const pattern =
    /(?:import|export)\s+(?:type\s+)?(?:\{([^}]*)\}|\*)[^"';]*?from\s*"(\.[^"]+)"|import\(\s*"(\.[^"]+)"\s*\)/g;
  return Array.from(text.matchAll(pattern)).flatMap(([, names = "*", from, loaded]) => {
    const target = join(dirname(file), from ?? loaded ?? "");
    return names.split(",").map((name) => `${target}: ${nameOf(name)}`);
  });
}

/** Of `type Clock as BaseClock`, the name that the other file gives it. */
function nameOf(specifier: string): string {
  return specifier
    .trim()
    .replace(/^type /, "")
    .replace(/ as .*$/s, "");
}

function filesUnder(room: string): string[] {
  return readdirSync(join(root, room), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => join(room, name));
}
