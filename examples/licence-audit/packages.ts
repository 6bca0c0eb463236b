import { lstat, readdir, readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import type { LicenceFields } from "./licence.ts";

/** Places of all packages installed under a project, nested ones too, relative to it and sorted. */
export async function findPackages(projectRoot: string): Promise<readonly string[]> {
  return (await packagesIn(projectRoot, "node_modules")).toSorted();
}

async function packagesIn(projectRoot: string, modules: string): Promise<readonly string[]> {
  const folders = await foldersIn(join(projectRoot, modules));
  const found = folders.map(async (folder) => {
    const place = `${modules}/${folder}`;
    if (!folder.startsWith("@")) return packagesAt(projectRoot, place);
    const scoped = await foldersIn(join(projectRoot, place));
    return Promise.all(scoped.map((name) => packagesAt(projectRoot, `${place}/${name}`)));
  });
  return (await Promise.all(found)).flat(2);
}

async function packagesAt(projectRoot: string, place: string): Promise<readonly string[]> {
  const nested = await packagesIn(projectRoot, `${place}/node_modules`);
  const names = await readdir(join(projectRoot, place));
  return names.includes("package.json") ? [place, ...nested] : nested;
}

async function foldersIn(folder: string): Promise<readonly string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    const isPackage = (name: string) => !name.startsWith(".");
    return entries
      .filter((entry) => entry.isDirectory() && isPackage(entry.name))
      .map(({ name }) => name);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

interface InstalledPackage {
  readonly name: string;
  readonly version: string;
  readonly licenceFields: LicenceFields;
  readonly licenceFile?: { readonly name: string; readonly text: string };
}

export async function readPackage(folder: string): Promise<InstalledPackage> {
  const manifest = parseManifest(await readFile(join(folder, "package.json"), "utf8"));
  const licenceFile = await readLicenceFile(folder);
  return {
    name: String(manifest["name"] ?? basename(folder)),
    version: String(manifest["version"] ?? "0.0.0"),
    licenceFields: { license: manifest["license"], licenses: manifest["licenses"] },
    ...(licenceFile && { licenceFile }),
  };
}

async function readLicenceFile(folder: string): Promise<InstalledPackage["licenceFile"]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const [name] = entries
    .filter((entry) => entry.isFile() && /^((un)?licen[cs]e|copying)\b/i.test(entry.name))
    .map((entry) => entry.name)
    // LICENSE before LICENSE-3rdparty.csv: the package's own has the plainest name.
    .toSorted((a, b) => a.length - b.length || (a < b ? -1 : 1));
  if (name === undefined) return undefined;
  return { name, text: await readFile(join(folder, name), "utf8") };
}

interface FolderSize {
  readonly bytes: number;
  readonly files: number;
}

/** The size of a package's own files: packages nested in it count for themselves. */
export async function measureFolder(folder: string, signal: AbortSignal): Promise<FolderSize> {
  signal.throwIfAborted();
  let bytes = 0;
  let files = 0;
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      if (entry.name === "node_modules") continue;
      const inner = await measureFolder(path, signal);
      bytes += inner.bytes;
      files += inner.files;
    } else {
      bytes += (await lstat(path)).size;
      files += 1;
    }
  }
  return { bytes, files };
}

/** Empty for what is not a JSON object: then the package names no licence, and the report says so. */
function parseManifest(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
