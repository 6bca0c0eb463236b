import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { Binaries } from "./binaries.ts";
import { programEnvironment, runnableBinaries } from "./binaries.ts";
import { clusterFolder, findHome } from "./home.ts";

/** The PostgreSQL programs that serve a data folder; as root they may be a copy of the installed. */
export function embeddedBinaries(dataDir: string): Binaries {
  return runnableBinaries(findHome(dataDir)?.account);
}

/** Runs `pg_ctl` on a data folder's server, as its account: `pgCtl(dir, ["stop", "-m", "immediate"])`. */
export async function pgCtl(dataDir: string, args: readonly string[]): Promise<string> {
  const home = findHome(dataDir);
  if (home === undefined) throw new Error(`there is no database in ${dataDir}`);
  const { pgCtl: program } = runnableBinaries(home.account);
  const cluster = clusterFolder(home.folder);
  const { stdout } = await promisify(execFile)(program, [...args, "-D", cluster], {
    ...home.account,
    cwd: "/",
    env: programEnvironment,
  });
  return stdout;
}
