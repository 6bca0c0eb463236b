import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { endPrograms, ktk, makeEmptyFolder, type ProgramOptions } from "./cli-program.ts";

afterAll(endPrograms);

interface Wrong {
  readonly words: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly config?: string;
  readonly says: RegExp;
}

const wrong: Readonly<Record<string, Wrong>> = {
  "a command that there is not": { words: ["frobnicate"], says: /unknown command 'frobnicate'/ },
  "a resource that there is not": { words: ["get", "pods"], says: /unknown command 'pods'/ },
  "a flag that there is not": {
    words: ["get", "tasks", "--nope"],
    says: /unknown option '--nope'/,
  },
  "nothing to run": { words: ["run"], says: /name what to run, or a file with --file/ },
  "a missing flag": { words: ["apply"], says: /required option .-f, --file <file>. not specified/ },
  "a word too many": { words: ["version", "x"], says: /too many arguments/ },
  "a format that there is not": {
    words: ["get", "tasks", "-o", "yaml"],
    says: /choices are json, wide/,
  },
  "a status that there is not": {
    words: ["get", "tasks", "-s", "done"],
    says: /one of waiting, ready/,
  },
  "a label without a value": { words: ["run", "x", "-l", "a"], says: /name=value/ },
  "a label's value with a comma": { words: ["run", "x", "-l", "a=b,c"], says: /name=value/ },
  "a priority that is no number": { words: ["run", "x", "--priority", "high"], says: /integer/ },
  "an input that is not JSON": { words: ["run", "x", "-i", "{"], says: /--input is not JSON/ },
  "an input file that is not there": {
    words: ["run", "x", "-i", "@nope.json"],
    says: /--input cannot be read/,
  },
  "a timeout without a unit": {
    words: ["run", "x", "--timeout", "7"],
    says: /--timeout must be a duration/,
  },
  "no task to describe": { words: ["describe", "task"], says: /by its id or with --key/ },
  "a task named twice": { words: ["cancel", "x", "--key", "y"], says: /by its id or with --key/ },

  "a port that is no number": {
    words: ["dev"],
    env: { KANTOKU_PORT: "http" },
    says: /^error: KANTOKU_PORT must be a port from 0 to 65535 .*, not "http"\n$/,
  },
  "a port out of range": { words: ["dev", "--port", "70000"], says: /^error: --port must be/ },
  "a host that others can reach": {
    words: ["dev"],
    env: { KANTOKU_HOST: "0.0.0.0" },
    says: /^error: KANTOKU_HOST must be an address of this machine/,
  },
  "a database URL of another kind": {
    words: ["dev"],
    env: { KANTOKU_DATABASE_URL: "mysql://ada:secret@db/x" },
    says: /^error: KANTOKU_DATABASE_URL must be a URL like postgres:(?!.*secret)/,
  },
  "a retention without a unit": {
    words: ["dev"],
    env: { KANTOKU_RETENTION: "7" },
    says: /^error: KANTOKU_RETENTION must be a duration/,
  },
  "a lease that is too short": {
    words: ["dev"],
    env: { KANTOKU_NODE_LEASE: "5ms" },
    says: /^error: KANTOKU_NODE_LEASE must be a duration of at least 1s/,
  },
  "a heartbeat as long as the lease": {
    words: ["dev"],
    env: { KANTOKU_WORKER_LEASE: "3s", KANTOKU_HEARTBEAT: "3s" },
    says: /^error: KANTOKU_HEARTBEAT must be shorter/,
  },
  "an origin with a path": {
    words: ["dev"],
    env: { KANTOKU_ALLOWED_ORIGINS: "https://a.example/x" },
    says: /^error: KANTOKU_ALLOWED_ORIGINS must be a list of origins/,
  },
  "a gateway URL of another kind": {
    words: ["get", "tasks"],
    env: { KANTOKU_URL: "ftp://x" },
    says: /^error: KANTOKU_URL must be a URL/,
  },
  "a namespace with a space": {
    words: ["get", "tasks", "-n", "a b"],
    says: /^error: --namespace must be a name/,
  },

  "a config that does not parse": {
    words: ["dev"],
    config: "export default {",
    says: /^error: kantoku.config.ts cannot be loaded/,
  },
  "a config that exports nothing": {
    words: ["dev"],
    config: "export const port = 1;",
    says: /^error: kantoku.config.ts must export an object/,
  },
  "a config with an unknown setting": {
    words: ["dev"],
    config: "export default { prot: 1 };",
    says: /^error: kantoku.config.ts: prot is not a setting/,
  },
  "a config with a bad value": {
    words: ["dev"],
    config: "export default { port: 1.5 };",
    says: /^error: kantoku.config.ts: port must be a port/,
  },
};

describe.concurrent("usage", { timeout: 60_000 }, () => {
  test.each(Object.entries(wrong))(
    "refuses %s with code 2",
    async (_, { words, env, config, says }) => {
      const place = makeEmptyFolder();
      if (config !== undefined) writeFileSync(join(place, "kantoku.config.ts"), config);
      const end = await ktk(words, { folder: place, ...(env && { env }) });
      expect(end).toMatchObject({ code: 2, stdout: "" });
      expect(end.stderr).toMatch(says);
      expect(end.stderr).not.toMatch(/^ {4}at /m);
    },
  );

  test("says where it looked for a gateway, and how to start one", async () => {
    const end = await ktk(["get", "tasks", "--url", "ws://127.0.0.1:1/rpc"]);
    expect(end).toMatchObject({ code: 1, stdout: "" });
    expect(end.stderr).toMatch(
      /^error: no gateway answers at ws:\/\/127.0.0.1:1\/rpc; start one with "ktk dev".*\n$/,
    );
  });

  test("looks for the gateway where the settings put the server", async () => {
    const end = await ktk(["get", "tasks"], { env: { KANTOKU_PORT: "1" } });
    expect(end.stderr).toContain("ws://127.0.0.1:1/rpc");
  });

  test("prefers flags to the environment, and that to the config", async () => {
    const place = makeEmptyFolder();
    writeFileSync(
      join(place, "kantoku.config.ts"),
      `export default { url: "ws://127.0.0.1:3" as string };`,
    );
    const asked = (words: readonly string[], options: ProgramOptions) =>
      ktk(["get", "tasks", ...words], { folder: place, ...options });
    const env = { KANTOKU_URL: "ws://127.0.0.1:2" };
    const ends = await Promise.all([
      asked(["--url", "ws://127.0.0.1:1"], { env }),
      asked([], { env }),
      asked([], { env: { KANTOKU_URL: "" } }),
    ]);
    const looked = ends.map(({ stderr }) => /127\.0\.0\.1:(\d)/.exec(stderr)?.[1]);
    expect(looked).toEqual(["1", "2", "3"]);
  });

  test("is answered in JSON, too, where that was asked for", async () => {
    const words = ["get", "tasks", "-s", "odd"];
    const [wrong, unset, silent] = await Promise.all([
      ktk([...words, "-o", "json"]),
      ktk(["run", "--output=json"]),
      ktk(["get", "tasks", "--url", "ws://127.0.0.1:1", "-ojson"]),
    ]);
    expect(wrong).toMatchObject({ code: 2, stderr: expect.stringMatching(/^error: /) });
    expect(JSON.parse(wrong.stdout)).toEqual({
      error: { code: "invalid-params", message: expect.stringMatching(/^option .*A status is/) },
    });
    expect(unset.code).toBe(2);
    expect(JSON.parse(unset.stdout)).toEqual({
      error: { code: "invalid-params", message: "name what to run, or a file with --file" },
    });
    expect(silent.code).toBe(1);
    expect(JSON.parse(silent.stdout)).toEqual({
      error: { code: "generic", message: expect.stringMatching(/^no gateway answers/) },
    });
    expect(await ktk(["get", "--help", "-o", "json"])).toMatchObject({ code: 0, stderr: "" });
  });

  test("shows a stack only when asked for", async () => {
    const { stderr } = await ktk(["get", "tasks", "--url", "ws://127.0.0.1:1", "--verbose"]);
    expect(stderr).toMatch(/^error: no gateway/);
    expect(stderr).toMatch(/^ {4}at /m);
  });

  test.each([
    [[], /ktk \[options\] \[command\]/],
    [["run", "--help"], /Examples:\n {2}ktk run/],
    [["dev", "--help"], /KANTOKU_DATABASE_URL/],
    [["describe", "task", "--help"], /Examples:/],
    [["help", "get"], /List tasks, workers or pipelines/],
  ])("helps with %j", async (words, says) => {
    const end = await ktk(words);
    expect(end).toMatchObject({ code: 0, stderr: "" });
    expect(end.stdout).toMatch(says);
  });

  test("prints its version", async () => {
    expect(await ktk(["version"])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^kantoku \d+\./),
    });
    const asked = await ktk(["version"]);
    expect(await ktk(["--version"])).toEqual(asked);
    expect(await ktk(["-V"])).toEqual(asked);
    const { stdout } = await ktk(["version", "-o", "json"]);
    expect(JSON.parse(stdout)).toEqual({
      version: expect.any(String),
      node: process.versions.node,
    });
  });
});
