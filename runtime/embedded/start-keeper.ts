import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { closeSync, constants, fchownSync, ftruncateSync, openSync } from "node:fs";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Account } from "./account.ts";
import type { Binaries } from "./binaries.ts";
import { programEnvironment } from "./binaries.ts";
import { logSize } from "./server-log.ts";

/** What a keeper is started with, as JSON in its only argument. */
export interface Errand {
  readonly home: string;
  readonly account: Account | undefined;
  readonly binaries: Binaries;
  /**
   * Whether who starts it has used the database before: another port would strand them, and an
   * empty database would pass for theirs.
   */
  readonly isReturn: boolean;
}

/** The exit code of a keeper that found another one in the folder. */
export const otherKeeperCode = 75;

const logSizeMax = 1024 * 1024;

export function keeperLogFile(home: string): string {
  return join(home, "keeper.log");
}

/** Starts a keeper in a session of its own, so that it outlives this process and its Ctrl-C. */
export function startKeeper(errand: Errand): ChildProcess {
  const log = openKeeperLog(errand);
  // The same form as this file: TypeScript as source, JavaScript when built.
  const program = fileURLToPath(new URL(`./keeper${extname(import.meta.url)}`, import.meta.url));
  const flags = ["--disable-warning=ExperimentalWarning"];
  try {
    const keeper = spawn(process.execPath, [...flags, program, JSON.stringify(errand)], {
      cwd: errand.home,
      env: programEnvironment,
      detached: true,
      stdio: ["ignore", log, log],
    });
    keeper.unref();
    return keeper;
  } finally {
    closeSync(log);
  }
}

function openKeeperLog({ home, account }: Errand): number {
  const file = keeperLogFile(home);
  // Root must not be led through a link that the folder's owner has left here.
  const { O_WRONLY, O_CREAT, O_APPEND, O_NOFOLLOW = 0 } = constants;
  const log = openSync(file, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0o600);
  if (account !== undefined) fchownSync(log, account.uid, account.gid);
  if (logSize(file) > logSizeMax) ftruncateSync(log);
  return log;
}
