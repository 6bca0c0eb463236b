import { assertLoopback } from "../gateway/loopback.ts";
import { namePattern } from "../sdk/protocol/limits.ts";
import { type Duration, toMs } from "../sdk/values/duration.ts";

/** Reads a setting from what was given; throws an Error that completes the sentence "NAME …". */
export type Reading<Value> = (given: unknown) => Value;

/** For what is not to be shown: a database URL holds a password. */
export const readDatabaseUrl: Reading<string> = (given) => {
  // Not URL.parse: PostgreSQL's URLs may name several hosts.
  if (typeof given === "string" && /^postgres(ql)?:\/\/\S+$/.test(given)) return given;
  throw new Error("must be a URL like postgres://user:password@host:5432/database");
};

export const readGatewayUrls: Reading<readonly string[]> = (given) => {
  const urls = readList(given);
  for (const url of urls) {
    if (!/^(ws|http)s?:$/.test(URL.parse(url)?.protocol ?? "")) {
      throw unlike(url, "a URL like ws://127.0.0.1:7400/rpc");
    }
  }
  if (urls.length === 0) throw unlike(given, "a URL like ws://127.0.0.1:7400/rpc");
  return urls;
};

export const readOrigins: Reading<readonly string[]> = (given) => {
  const origins = readList(given);
  for (const origin of origins) {
    // What a browser sends is exactly this; anything more would never match.
    if (URL.parse(origin)?.origin !== origin) {
      throw unlike(origin, "a list of origins like https://example.com,https://example.org");
    }
  }
  return origins;
};

export const readText: Reading<string> = (given) => {
  if (typeof given === "string" && given !== "") return given;
  throw unlike(given, "a text");
};

export const readHost: Reading<string> = (given) => {
  const host = readText(given);
  try {
    assertLoopback(host);
    return host;
  } catch {
    throw unlike(given, "an address of this machine alone, like 127.0.0.1 or ::1");
  }
};

export const readPort: Reading<number> = (given) => {
  const port = typeof given === "string" && /^\d{1,5}$/.test(given) ? Number(given) : given;
  if (typeof port === "number" && Number.isInteger(port) && port >= 0 && port <= 65_535) {
    return port;
  }
  throw unlike(given, "a port from 0 to 65535 (0 takes a free one)");
};

export const readNamespace: Reading<string> = (given) => {
  if (typeof given === "string" && namePattern.test(given)) return given;
  throw unlike(given, "a name of letters, digits and _.:/-");
};

/** Milliseconds. A text needs its unit: a retention of "7" must not come to mean 7 ms. */
export const readDuration: Reading<number> = (given) => {
  try {
    const ms = toMs(given as Duration);
    if (ms > 0) return ms;
  } catch {
    // The same sentence for all that is not one.
  }
  throw unlike(given, 'a duration like "30s", "12h" or "7d"');
};

const leaseMsMin = 1_000;

export const readLease: Reading<number> = (given) => {
  const ms = readDuration(given);
  if (ms >= leaseMsMin) return ms;
  throw unlike(given, "a duration of at least 1s");
};

export const readRetention: Reading<number | null> = (given) => {
  return given === "keep" ? null : readDuration(given);
};

function readList(given: unknown): readonly string[] {
  const items = typeof given === "string" ? given.split(",") : given;
  if (!Array.isArray(items) || items.some((item) => typeof item !== "string")) {
    throw unlike(given, "a list of texts");
  }
  return items.map((item: string) => item.trim()).filter((item) => item !== "");
}

function unlike(given: unknown, wanted: string): Error {
  return new Error(`must be ${wanted}, not ${JSON.stringify(given)?.slice(0, 80)}`);
}
