export type LogFields = Readonly<Record<string, unknown>>;

/** What the gateway needs of a log; the runtime's fits. */
export interface Log {
  info(message: string, fields: LogFields): void;
  warn(message: string, fields: LogFields): void;
  error(message: string, fields: LogFields): void;
}

/** What goes wrong must be seen even where nobody passed a log; what goes well need not. */
export const stderrLog: Log = {
  info: () => {},
  warn: (message, fields) => writeLine("warn", message, fields),
  error: (message, fields) => writeLine("error", message, fields),
};

function writeLine(level: string, message: string, fields: LogFields): void {
  process.stderr.write(`${JSON.stringify({ level, message, ...fields })}\n`);
}
