import type { LogLevel, LogLine, LogSink, TaskLog } from "../context.ts";
import type { Assignment } from "../protocol/service.ts";
import type { Clock } from "../time/clock.ts";
import { encodePayload } from "../values/payload.ts";

/** JSON lines on stderr, as the server writes them, `debug` left out: stdout belongs to the program's own results. */
export const logToConsole: LogSink = (line) => {
  if (line.level !== "debug") console.error(writeLine(line));
};

export function createTaskLog(
  { task, attempt, definition }: Assignment,
  { clock, sink }: { clock: Clock; sink: LogSink },
): TaskLog {
  const at =
    (level: LogLevel): TaskLog[LogLevel] =>
    (message, fields) => {
      const line = { at: clock.now(), level, message, task, attempt, definition };
      sink(fields ? { ...line, fields } : line);
    };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

// A log line never fails the task that wrote it.
function writeLine({ fields, ...line }: LogLine): string {
  const head = JSON.stringify({ ...line, at: new Date(line.at).toISOString() });
  if (fields === undefined) return head;
  try {
    return `${head.slice(0, -1)},"fields":${encodePayload(fields, { at: "fields" })}}`;
  } catch {
    return head;
  }
}
