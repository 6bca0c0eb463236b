/**
 * The keeper: a small detached process that runs one folder's server while anybody uses it.
 *
 * It owns the folder's lock, the server and the list of users, and nothing else. Users may be
 * killed, and Ctrl-C may hit their whole process group: neither reaches this process or the
 * server, each of which has a session of its own. When this process is killed, the server goes
 * on, and the keeper that its users start anew adopts it.
 */

import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Account } from "./account.ts";
import { databaseUrl, ensureCluster } from "./cluster.ts";
import { takeFolderLock } from "./folder-lock.ts";
import { publishAddress, withdrawAddress } from "./messages.ts";
import { hasRunningServer, stopPostmaster } from "./postmaster.ts";
import { bringUp } from "./server.ts";
import { boundServerLog } from "./server-log.ts";
import { type Errand, otherKeeperCode } from "./start-keeper.ts";
import { Users } from "./users.ts";

// The users of a killed keeper come back one by one: the first to leave again is not the last.
const rejoinMs = 3_000;
const logCheckMs = 60_000;
// `pg_ctl stop` looks ten times a second whether the pid file is gone; restarted faster than it
// looks, it would wait for a minute and report a failure.
const restartPauseMs = 250;

await keep(JSON.parse(process.argv[2] ?? "{}") as Errand);

async function keep(errand: Errand): Promise<void> {
  const { home, account } = errand;
  process.umask(0o077);
  if (account !== undefined) become(account);
  const lock = takeFolderLock(join(home, "keeper.lock"));
  if (lock === undefined) process.exit(otherKeeperCode);

  const token = randomBytes(24).toString("base64url");
  const users = new Users(token, hasRunningServer(home) ? rejoinMs : 0);
  listenToSignals(users);
  publishAddress(home, { pid: process.pid, port: await users.listen(), token });
  setInterval(() => boundServerLog(home), logCheckMs).unref();

  try {
    await serveWhileUsed(errand, users);
  } catch (error) {
    console.error(error);
    // Its starter may still be on the way to the door: the reason is worth waiting with.
    if (users.count === 0) await Promise.race([users.arrival, users.vacancy]);
    users.expel({
      kind: "failed",
      message: error instanceof Error ? error.message : String(error),
    });
  }

  // The address goes before the lock, or it would be the successor's that is withdrawn; the
  // lock goes before the goodbyes, so that whoever has left can start again at once.
  withdrawAddress(home);
  users.close();
  lock.release();
  await users.dismiss();
  process.exit(0);
}

async function serveWhileUsed(errand: Errand, users: Users): Promise<void> {
  await ensureCluster(errand);
  for (let { isReturn } = errand; ; isReturn = false) {
    await serveOneStay({ ...errand, isReturn }, users);
    if (users.count === 0) return;
    // Whoever came while the server stopped waits for it to be up again.
    users.reopen();
    await users.dismiss();
  }
}

async function serveOneStay({ home, binaries, isReturn }: Errand, users: Users): Promise<void> {
  let isVacant = false;
  void users.vacancy.then(() => {
    isVacant = true;
  });

  let server = await bringUp({ home, binaries, keepsPort: isReturn });
  for (;;) {
    users.announce({ kind: "serving", url: databaseUrl(home, server.port) });
    await Promise.race([server.ended, users.vacancy]);
    users.withdraw();
    if (isVacant) return stopPostmaster(server);
    await sleep(restartPauseMs);
    // Where that fails, its users are told why, and start the next keeper when they try again.
    server = await bringUp({ home, binaries, keepsPort: true });
  }
}

function listenToSignals(users: Users): void {
  for (const signal of ["SIGINT", "SIGHUP"] as const) process.on(signal, () => {});
  process.on("SIGTERM", () => {
    users.expel({ kind: "stopped", message: "its keeper was told to stop (SIGTERM)" });
    users.vacateNow();
  });
}

/** For good; all modules are loaded by now, from folders that the account may not see. */
function become({ uid, gid }: Account): void {
  process.setgroups?.([gid]);
  process.setgid?.(gid);
  process.setuid?.(uid);
}
