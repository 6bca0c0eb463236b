import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, lstatSync, mkdirSync, readFileSync, statSync } from "node:fs";

/** Whom the database's processes run as; absent means as this process does. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

const overflowAccount: Account = { uid: 65534, gid: 65534 };

export function isRoot(): boolean {
  return process.geteuid?.() === 0;
}

/**
 * The account PostgreSQL, which refuses root, is to run as for the files of a folder.
 *
 * A folder that an ordinary user owns is served as that user, so that `sudo` today does not
 * lock them out tomorrow.
 */
export function accountFor(folder: string): Account | undefined {
  if (!isRoot()) return undefined;
  const { uid, gid } = statSync(folder);
  if (uid !== 0) return { uid, gid };
  return accountNamed("postgres") ?? accountNamed("nobody") ?? overflowAccount;
}

/** Asks the kernel rather than mode bits, which know nothing of access lists and mounts. */
export function canUseFolder(account: Account | undefined, folder: string): boolean {
  const options = { ...account, cwd: "/", stdio: "ignore" } as const;
  return spawnSync("/bin/sh", ["-c", 'cd "$0"', folder], options).status === 0;
}

/** Makes, once, a folder that every account may enter and only this one may write. */
export function makeTrustedFolder(folder: string): void {
  if (!existsSync(folder)) {
    mkdirSync(folder, { recursive: true });
    chmodSync(folder, 0o755);
  }
  assertTrusted(folder);
}

/** Refuses a folder in which somebody else could plant what this process is going to trust. */
export function assertTrusted(folder: string): void {
  const found = lstatSync(folder);
  const ownersTrusted = [0, process.geteuid?.()];
  if (found.isDirectory() && ownersTrusted.includes(found.uid) && (found.mode & 0o022) === 0)
    return;
  throw new Error(
    `${folder} is not to be trusted with the database: it must be a folder owned by root or by the user running this, and writable by nobody else`,
  );
}

function accountNamed(name: string): Account | undefined {
  const line = passwdLines().find((entry) => entry.startsWith(`${name}:`));
  const [, , uid, gid] = line?.split(":") ?? [];
  if (uid === undefined || gid === undefined) return undefined;
  return { uid: Number(uid), gid: Number(gid) };
}

function passwdLines(): string[] {
  try {
    return readFileSync("/etc/passwd", "utf8").split("\n");
  } catch {
    return [];
  }
}
