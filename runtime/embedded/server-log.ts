import { closeSync, copyFileSync, openSync, readSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";

const sizeMax = 8 * 1024 * 1024;

export function serverLogFile(home: string): string {
  return join(home, "postgres.log");
}

/**
 * Keeps the log under twice its maximum. The server appends, so cutting the file under it is
 * safe, and a server whose keeper is frozen never blocks on a pipe that nobody reads.
 */
export function boundServerLog(home: string): void {
  const file = serverLogFile(home);
  if (logSize(file) <= sizeMax) return;
  copyFileSync(file, `${file}.1`);
  truncateSync(file);
}

export function logSize(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

/** At most the last 16 KiB of what was written after an offset. */
export function logSince(file: string, offset: number): string {
  const size = logSize(file);
  if (size === 0) return "";
  const start = Math.max(Math.min(offset, size), size - 16_384);
  const text = Buffer.alloc(size - start);
  const fd = openSync(file, "r");
  try {
    readSync(fd, text, 0, text.length, start);
  } finally {
    closeSync(fd);
  }
  return text.toString("utf8");
}

const complaint = /^.*?(?:(?:FATAL|PANIC|ERROR|HINT):|LOG:(?=.*(?:error|could not|failed)))\s*/;
const complaintsMax = 3;

/** Why the server ended, in one line: of all that it wrote, what tells somebody what to mend. */
export function complaintIn(log: string): string {
  const lines = log.split("\n").filter((line) => line.trim() !== "");
  const complaints = lines.filter((line) => complaint.test(line)).slice(-complaintsMax);
  const told = complaints.length > 0 ? complaints : lines.slice(-1);
  if (told.length === 0) return "it said nothing, as where the disk is full";
  return told.map((line) => line.replace(complaint, "").trim()).join("; ");
}
