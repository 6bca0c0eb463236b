import { createHash, randomBytes } from "node:crypto";
import {
  accessSync,
  constants,
  existsSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import type { Account } from "./account.ts";
import { accountFor, canUseFolder, isRoot, makeTrustedFolder } from "./account.ts";

/** Where all files of one embedded database are; every one of them belongs to its account. */
interface Home {
  readonly folder: string;
  readonly account: Account | undefined;
}

/** Where root keeps what the database's account cannot reach in place. */
export const systemFolderDefault = "/var/lib/kantoku";

const homeName = "postgres";
const pointerName = "postgres.path";

export function clusterFolder(home: string): string {
  return join(home, "cluster");
}

/** The home of a data folder's database, or undefined before its first start. */
export function findHome(dataDir: string): Home | undefined {
  const folder = followPointer(dataDir) ?? join(resolve(dataDir), homeName);
  if (!existsSync(folder)) return undefined;
  if (!isRoot()) {
    assertOurs(folder);
    return { folder, account: undefined };
  }

  const { uid, gid } = lstatSync(folder);
  if (uid === 0) throw new Error(`${folder} belongs to root, as which PostgreSQL refuses to run`);
  return { folder, account: { uid, gid } };
}

/** Finds the home or makes it; of several processes that make it at once, one prevails. */
export function prepareHome(dataDir: string, systemFolder: string): Home {
  mkdirExplained(dataDir);
  if (findHome(dataDir) === undefined) {
    const account = accountFor(dataDir);
    if (account === undefined || canUseFolder(account, resolve(dataDir))) {
      makeHome(join(resolve(dataDir), homeName), account);
    } else {
      makeHomeElsewhere({ dataDir, systemFolder, account });
    }
  }

  const home = findHome(dataDir);
  if (home === undefined) throw new Error(`the database's folder vanished from ${dataDir}`);
  if (canUseFolder(home.account, home.folder)) return home;
  throw new Error(
    `the database in ${home.folder} belongs to user ${home.account?.uid}, who cannot reach it there: make the folders above it passable, or move ${dataDir}`,
  );
}

function makeHome(folder: string, account: Account | undefined): void {
  // Renamed into place, so that nobody meets it before it has its owner.
  const draft = `${folder}.${randomBytes(6).toString("hex")}`;
  mkdirExplained(draft, 0o700);
  if (account !== undefined) lchownSync(draft, account.uid, account.gid);
  try {
    renameSync(draft, folder);
  } catch (error) {
    rmSync(draft, { recursive: true });
    if (!existsSync(folder)) throw error;
  }
}

interface Elsewhere {
  readonly dataDir: string;
  readonly systemFolder: string;
  readonly account: Account;
}

function makeHomeElsewhere({ dataDir, systemFolder, account }: Elsewhere): void {
  makeTrustedFolder(systemFolder);

  const home = join(systemFolder, nameFor(realpathSync(dataDir)));
  makeHome(home, account);
  if (!claimPointer(dataDir, home)) rmSync(home, { recursive: true });
}

/**
 * The random part keeps a folder deleted and made again, or a clone where another one moved
 * away, from waking the old database.
 */
function nameFor(realPath: string): string {
  const pathHash = createHash("sha256").update(realPath).digest("hex").slice(0, 12);
  return `${basename(dirname(realPath))}-${pathHash}-${randomBytes(4).toString("hex")}`;
}

/** False when another process has claimed it first: a link, unlike a rename, never replaces. */
function claimPointer(dataDir: string, home: string): boolean {
  const pointer = join(dataDir, pointerName);
  const draft = `${pointer}.${randomBytes(6).toString("hex")}`;
  writeFileSync(draft, `${home}\n`, { flag: "wx", mode: 0o644 });
  try {
    linkSync(draft, pointer);
    return true;
  } catch (error) {
    if (!existsSync(pointer)) throw error;
    return false;
  } finally {
    rmSync(draft);
  }
}

function followPointer(dataDir: string): string | undefined {
  const pointer = join(dataDir, pointerName);
  if (!existsSync(pointer)) return undefined;

  if (isRoot() && lstatSync(pointer).uid !== 0) {
    throw new Error(`${pointer} was not written by root, so root does not follow it`);
  }
  const home = readFileSync(pointer, "utf8").trim();
  if (existsSync(home)) return home;
  throw new Error(
    `the database of ${dataDir} was kept in ${home}, which is gone: put it back, or delete ${pointer} to begin with an empty one`,
  );
}

function assertOurs(folder: string): void {
  try {
    accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (cause) {
    const { uid } = statSync(folder);
    throw new Error(
      `no permission for the database in ${folder}: it belongs to user ${uid}, and this is user ${process.geteuid?.()}`,
      { cause },
    );
  }
}

function mkdirExplained(folder: string, mode = 0o777): void {
  try {
    makeLevels(resolve(folder), mode);
  } catch (cause) {
    throw new Error(`cannot make the database's folder ${folder}: ${String(cause)}`, { cause });
  }
}

/** One level at a time: Node's `recursive` never returns from a folder that has no room, as /proc. */
function makeLevels(folder: string, mode: number): void {
  if (existsSync(folder)) return;
  makeLevels(dirname(folder), mode);
  try {
    mkdirSync(folder, { mode });
  } catch (error) {
    if (!existsSync(folder)) throw error;
  }
}
