import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";

/**
 * Makes the package that is published, in `dist/` or the folder given: compiled, because Node strips
 * no types inside `node_modules`, with the manifest rewritten to what was compiled. Publish that
 * folder, not the project.
 */
const root = resolve(import.meta.dirname, "..");
const out = resolve(process.argv[2] ?? join(root, "dist"));
const kept = ["README.md", "LICENSE", "CHANGELOG.md", "docs"];

interface Manifest {
  readonly exports: Readonly<Record<string, string>>;
  readonly bin: Readonly<Record<string, string>>;
  readonly [member: string]: unknown;
}

rmSync(out, { recursive: true, force: true });
compile();
writeFileSync(join(out, "package.json"), `${JSON.stringify(publishedManifest(), null, 2)}\n`);
for (const name of kept) cpSync(join(root, name), join(out, name), { recursive: true });
console.log(out);

function compile(): void {
  const typescript = createRequire(import.meta.url).resolve("typescript/package.json");
  const compiler = join(dirname(typescript), "bin", "tsc");
  mkdirSync(out, { recursive: true });
  const project = join(import.meta.dirname, "tsconfig.json");
  execFileSync(process.execPath, [compiler, "-p", project, "--outDir", out], { stdio: "inherit" });
}

function publishedManifest(): unknown {
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as Manifest;
  const { name, version, description, license, type, engines, dependencies } = manifest;
  return {
    ...{ name, version, description, license, type, engines },
    exports: mapValues(manifest.exports, (source) => ({
      types: compiled(source, ".d.ts"),
      default: compiled(source, ".js"),
    })),
    bin: mapValues(manifest.bin, (source) => compiled(source, ".js")),
    dependencies,
  };
}

function compiled(source: string, extension: string): string {
  return source.replace(/\.ts$/, extension);
}

function mapValues<Value, Mapped>(
  values: Readonly<Record<string, Value>>,
  map: (value: Value) => Mapped,
): Record<string, Mapped> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, map(value)]));
}
