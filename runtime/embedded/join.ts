import type { ChildProcess } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { runnableBinaries } from "./binaries.ts";
import { findHome, prepareHome, systemFolderDefault } from "./home.ts";
import { Membership } from "./membership.ts";
import { readAddress } from "./messages.ts";
import { logSince, logSize } from "./server-log.ts";
import { keeperLogFile, otherKeeperCode, startKeeper } from "./start-keeper.ts";

export interface JoinOptions {
  /** Two processes that name the same folder share one server. */
  readonly dataDir: string;
  /** How long the server outlives its last user when that was killed; 10 s unless given. */
  readonly graceMs?: number;
  /**
   * As root: where binaries and data go that the database's account cannot reach in place;
   * `/var/lib/kantoku` unless given.
   */
  readonly systemFolder?: string;
  /** Whether this process has used the database before, and wants that one, where it was. */
  readonly isReturn: boolean;
}

const graceDefaultMs = 10_000;
const pollMs = 10;
const keeperPauseMs = 200;
const joinTimeoutMs = 30_000;

interface Joined {
  readonly membership: Membership;
  readonly url: string;
}

/** Rejects with the reason when the server cannot be had. */
export async function join(options: JoinOptions): Promise<Joined> {
  const giveUpAt = performance.now() + joinTimeoutMs;
  const starter = new KeeperStarter(options);
  while (performance.now() < giveUpAt) {
    const joined = await knock(options);
    if (joined !== undefined) return joined;
    starter.startUnlessUnderWay();
    await sleep(pollMs);
  }
  throw new Error(`the keeper of the database in ${options.dataDir} does not answer`);
}

async function knock(options: JoinOptions): Promise<Joined | undefined> {
  const home = findHome(options.dataDir);
  const address = home === undefined ? undefined : readAddress(home.folder);
  if (address === undefined) return undefined;

  const membership = new Membership(address, options.graceMs ?? graceDefaultMs);
  if (!(await membership.isWelcome())) return undefined;
  // However long it takes: after a crash the server first replays what it had promised.
  const url = await membership.url;
  return url === undefined ? undefined : { membership, url };
}

/** Starts a keeper at a time: where two processes do so at once, the folder's lock picks one. */
class KeeperStarter {
  readonly #options: JoinOptions;
  #keeper: ChildProcess | undefined;
  #notBefore = 0;
  #failure: Error | undefined;

  constructor(options: JoinOptions) {
    this.#options = options;
  }

  startUnlessUnderWay(): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#keeper !== undefined || performance.now() < this.#notBefore) return;

    const { dataDir, isReturn, systemFolder = systemFolderDefault } = this.#options;
    const home = prepareHome(dataDir, systemFolder);
    const binaries = runnableBinaries(home.account, systemFolder);
    const keeper = startKeeper({ home: home.folder, account: home.account, binaries, isReturn });
    const logStart = logSize(keeperLogFile(home.folder));
    const fail = (reason: string): void => {
      const log = logSince(keeperLogFile(home.folder), logStart).trim();
      const message = `the keeper of the database in ${home.folder} failed (${reason}): ${log}`;
      this.#failure = new Error(message);
    };
    this.#keeper = keeper;
    keeper.once("error", (error) => fail(error.message));
    keeper.once("exit", (code) => {
      this.#keeper = undefined;
      this.#notBefore = performance.now() + keeperPauseMs;
      // Null is a signal's doing, and says nothing against another try.
      if (code === null || code === 0 || code === otherKeeperCode) return;
      fail(`exit code ${code}`);
    });
  }
}
