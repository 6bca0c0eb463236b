import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";

/** Names a process of a host for ever: pids are used again, a start time with a pid is not. */
export interface ProcessIdentity {
  readonly host: string;
  readonly pid: number;
  readonly processStart: string;
}

export function ownProcess(): ProcessIdentity {
  return {
    host: hostIdentity(),
    pid: process.pid,
    processStart: startOf(process.pid) ?? "unknown",
  };
}

/** True only when it is certain: a process of this host that is no more. */
export function isDead(identity: ProcessIdentity): boolean {
  if (identity.host !== hostIdentity()) return false;
  try {
    process.kill(identity.pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
  const start = startOf(identity.pid);
  return start !== null && identity.processStart !== "unknown" && start !== identity.processStart;
}

/** Containers may share a host's name and count pids of their own, so both are part of the name. */
function hostIdentity(): string {
  const boot = attempt(() => readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim());
  const pids = attempt(() => readlinkSync("/proc/self/ns/pid"));
  return [hostname(), boot, pids].filter((part) => part !== null).join("/");
}

/** The kernel's start time of a process, in clock ticks since boot; null where there is no /proc. */
function startOf(pid: number): string | null {
  const stat = attempt(() => readFileSync(`/proc/${pid}/stat`, "latin1"));
  if (stat === null) return null;
  // The second field is the command in parentheses and may hold anything, so count from its end.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields[0] === "Z" ? "ended" : (fields[19] ?? null);
}

function attempt<T>(read: () => T): T | null {
  try {
    return read();
  } catch {
    return null;
  }
}
