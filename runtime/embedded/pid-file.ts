import { once } from "node:events";
import { existsSync, readFileSync, readlinkSync, realpathSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";

/** What a server writes of itself into `postmaster.pid`. */
export interface PidFile {
  readonly pid: number;
  readonly port: number;
  readonly isReady: boolean;
}

/** Lines of the file that count, as `miscadmin.h` of PostgreSQL numbers them, from zero here. */
const line = { pid: 0, port: 3, status: 7 } as const;

const answerTimeoutMs = 1_000;

export function readPidFile(cluster: string): PidFile | undefined {
  try {
    const lines = readFileSync(pidFile(cluster), "utf8").split("\n");
    const pid = Number(lines[line.pid]);
    if (!Number.isInteger(pid) || pid <= 0) return undefined;
    return {
      pid,
      port: Number(lines[line.port] ?? 0),
      isReady: lines[line.status]?.trim() === "ready",
    };
  } catch {
    return undefined;
  }
}

/**
 * Removes the file of a dead server whose number another program, or its own zombie, now has:
 * the next server would take that for a living rival. In every other case its own checks, which
 * also look for surviving backends, are left the word.
 */
export function removeMisleadingPidFile(cluster: string, pid: number): void {
  if (isAlive(pid)) rmSync(pidFile(cluster), { force: true });
}

/**
 * Whether a pid is a living server of this cluster. A number alone lies after a reboot, when it
 * is another program's, and in containers whose init reaps no zombies; a server's working folder
 * is its cluster, and a zombie has none.
 */
export function isPostmasterOf(cluster: string, pid: number): boolean {
  if (!existsSync("/proc/self/cwd")) return isAlive(pid);
  try {
    return readlinkSync(`/proc/${pid}/cwd`) === realpathSync(cluster);
  } catch {
    return false;
  }
}

/** Asks for TLS, the one question that a server answers before it knows who asks. */
export async function answersAsPostgres(port: number): Promise<boolean> {
  const sslRequest = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);
  const socket = connect({ port, host: "127.0.0.1" });
  socket.on("error", () => {});
  try {
    socket.write(sslRequest);
    const [answer] = await once(socket, "data", { signal: AbortSignal.timeout(answerTimeoutMs) });
    return Buffer.isBuffer(answer) && ["N", "S"].includes(answer.toString("latin1"));
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

function pidFile(cluster: string): string {
  return join(cluster, "postmaster.pid");
}
