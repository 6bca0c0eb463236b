export type LogFields = Readonly<Record<string, unknown>>;

/** The door to structured logs: a constant message, what varies in the fields. */
export interface Log {
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

/** One JSON object a line on standard error. */
export function createJsonLog(minimum: "info" | "warn" | "error" = "info"): Log {
  const levels = ["info", "warn", "error"] as const;
  const write = (level: (typeof levels)[number], message: string, fields: LogFields = {}): void => {
    if (levels.indexOf(level) < levels.indexOf(minimum)) return;
    const line = { at: new Date().toISOString(), level, message, ...fields };
    process.stderr.write(`${JSON.stringify(line, replaceError)}\n`);
  };
  return {
    info: (message, fields) => write("info", message, fields),
    warn: (message, fields) => write("warn", message, fields),
    error: (message, fields) => write("error", message, fields),
  };
}

function replaceError(_key: string, value: unknown): unknown {
  if (!(value instanceof Error)) return value;
  const { name, message, cause } = value;
  // What a driver or a schema said is the only clue there is.
  return { name, message, ...(cause === undefined ? {} : { cause }) };
}

export const silentLog: Log = { info: () => {}, warn: () => {}, error: () => {} };
