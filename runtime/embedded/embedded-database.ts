import type { ChildProcess } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { runnableBinaries } from "./binaries.ts";
import { keeperLogFile, otherKeeperCode, startKeeper } from "./errand.ts";
import { findHome, prepareHome, systemFolderDefault } from "./home.ts";
import { Membership } from "./membership.ts";
import { readAddress } from "./messages.ts";
import { logSince } from "./server-log.ts";

export interface EmbeddedDatabaseOptions {
  /** Two processes that name the same folder share one server. */
  readonly dataDir: string;
  /** How long the server outlives its last user when that was killed; 10 s unless given. */
  readonly graceMs?: number;
  /**
   * As root: where binaries and data go that the database's account cannot reach in place;
   * `/var/lib/kantoku` unless given.
   */
  readonly systemFolder?: string;
}

export interface EmbeddedDatabase {
  /** Of a superuser; it stays the same when the server crashes and comes back. */
  readonly url: string;
  /** Says that this process no longer uses the database; the last one's resolves when it has stopped. */
  leave(): Promise<void>;
}

const graceDefaultMs = 10_000;
const pollMs = 10;
const keeperPauseMs = 200;
const joinTimeoutMs = 30_000;

/** Joins the PostgreSQL server that runs in a data folder, or starts it. */
export async function openEmbeddedDatabase(
  options: EmbeddedDatabaseOptions,
): Promise<EmbeddedDatabase> {
  let { membership, url } = await join(options);
  let leaving: Promise<void> | undefined;
  let rejoining: Promise<void> = Promise.resolve();
  registerAgainWhenLost();
  return { url, leave: () => (leaving ??= leave()) };

  /** A killed keeper leaves the server running; without one that knows us, nobody would stop it. */
  function registerAgainWhenLost(): void {
    membership.unref();
    void membership.end.then((end) => {
      if (end === "left" || leaving !== undefined || isDeleted()) return;
      rejoining = join(options).then((joined) => {
        ({ membership } = joined);
        registerAgainWhenLost();
      });
      rejoining.catch(() => {});
    });
  }

  async function leave(): Promise<void> {
    await rejoining;
    while ((await membership.leave()) === "lost") {
      if (isDeleted()) return;
      ({ membership } = await join(options));
    }
  }

  /** Whoever deletes the folder under a running server does not want another one made. */
  function isDeleted(): boolean {
    return findHome(options.dataDir) === undefined;
  }
}

interface Joined {
  readonly membership: Membership;
  readonly url: string;
}

async function join(options: EmbeddedDatabaseOptions): Promise<Joined> {
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

async function knock(options: EmbeddedDatabaseOptions): Promise<Joined | undefined> {
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
  readonly #options: EmbeddedDatabaseOptions;
  #keeper: ChildProcess | undefined;
  #notBefore = 0;
  #failure: Error | undefined;

  constructor(options: EmbeddedDatabaseOptions) {
    this.#options = options;
  }

  startUnlessUnderWay(): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#keeper !== undefined || performance.now() < this.#notBefore) return;

    const { dataDir, systemFolder = systemFolderDefault } = this.#options;
    const home = prepareHome(dataDir, systemFolder);
    const binaries = runnableBinaries(home.account, systemFolder);
    const keeper = startKeeper({ home: home.folder, account: home.account, binaries });
    this.#keeper = keeper;
    keeper.once("error", (error) => this.#fail(home.folder, error.message));
    keeper.once("exit", (code) => {
      this.#keeper = undefined;
      this.#notBefore = performance.now() + keeperPauseMs;
      // Null is a signal's doing, and says nothing against another try.
      if (code === null || code === 0 || code === otherKeeperCode) return;
      this.#fail(home.folder, `exit code ${code}`);
    });
  }

  #fail(home: string, reason: string): void {
    const log = logSince(keeperLogFile(home), 0).trim();
    this.#failure = new Error(`the keeper of the database in ${home} failed (${reason}): ${log}`);
  }
}
