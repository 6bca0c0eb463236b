import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { defaultBounds } from "../../gateway/bounds.ts";
import { methods } from "../../gateway/methods/index.ts";
import { parseMessage } from "../../gateway/wire/message.ts";
import { notificationNames } from "../../gateway/wire/notification.ts";
import { checkGraph } from "../../runtime/graph/check.ts";
import { compilePreprocessor } from "../../runtime/preprocess/index.ts";
import { checkVertex } from "../../runtime/service/submit-check.ts";
import { closeCodes } from "../../sdk/protocol/close-code.ts";
import { errorCodes } from "../../sdk/protocol/error-code.ts";
import type { Graph } from "../../sdk/protocol/graph.ts";
import { limits } from "../../sdk/protocol/limits.ts";

const page = readFileSync(new URL("../../docs/PROTOCOL.md", import.meta.url), "utf8");
const rows = page.split("\n").filter((line) => line.startsWith("|"));

describe("PROTOCOL.md names what is there", () => {
  test.each(methods.map(({ name }) => name))("method %s", (name) => {
    expect(page).toMatch(new RegExp(`^(#### |\\| )\`${name}\``, "m"));
    expect(page).toContain(`"method":"${name}"`);
  });

  test.each(notificationNames)("notification %s", (name) => {
    expect(rows.some((row) => row.startsWith(`| \`${name}\``))).toBe(true);
    expect(page).toContain(`← {"jsonrpc":"2.0","method":"${name}"`);
  });

  test.each(Object.entries(errorCodes))("error %s", (code, { number, retryable }) => {
    const start = `| −${-number} | \`${code}\` | ${retryable ? "yes" : "no"} |`;
    expect(rows.some((row) => row.startsWith(start))).toBe(true);
  });

  test.each(Object.entries(closeCodes))("close code %s", (_name, code) => {
    expect(rows.some((row) => new RegExp(`^\\|[ \\d,]*\\b${code}\\b`).test(row))).toBe(true);
  });

  test.each([
    ...Object.keys(limits),
    "inFlightCallsMax",
    "subscriptionsMax",
    "workersMax",
    "pingMs",
  ])("limit %s", (name) => {
    expect(page).toContain(`\`${name}\``);
  });

  test("nothing that is not there", () => {
    const named = [...page.matchAll(/^#### `([\w.]+)`/gm)].map(([, name]) => name);
    const served = methods.map(({ name }) => name);
    for (const name of named) expect(served).toContain(name);
  });
});

test("its examples are messages of the protocol", () => {
  const examples = [...page.matchAll(/^[→←] (.+)$/gm)].map(([, text]) => text ?? "");
  expect(examples.length).toBeGreaterThan(40);
  for (const example of examples) {
    for (const message of [JSON.parse(example) as unknown].flat()) {
      expect(parseMessage(message).kind).not.toBe("invalid");
    }
  }
});

test("its examples of calls have params that the methods take", () => {
  const table = new Map(methods.map((method) => [method.name, method.params]));
  for (const [, text = ""] of page.matchAll(/^→ (.+)$/gm)) {
    // The page shortens ids with an ellipsis.
    for (const { method, params = {} } of [
      JSON.parse(text.replaceAll("…", "-")) as Example,
    ].flat()) {
      expect(table.get(method)?.safeParse(params), text).toMatchObject({ success: true });
    }
  }
});

test("its graphs are such as the runtime takes, or it tells what is wrong with them", () => {
  const lines = page.split("\n");
  const graphs = lines.flatMap((line, index) => {
    const params = line.startsWith("→ ")
      ? (JSON.parse(line.slice(2)) as Example).params
      : undefined;
    const graph = params?.["graph"] as Graph | undefined;
    return graph === undefined ? [] : [{ graph, answer: lines[index + 1] ?? "" }];
  });
  expect(graphs.length).toBeGreaterThan(4);
  for (const { graph, answer } of graphs) {
    const problems = checkGraph(graph, {
      checkVertex,
      checkSource: (source) => {
        const compiled = compilePreprocessor(source);
        return "problems" in compiled ? compiled.problems.map(({ message }) => message) : [];
      },
    });
    const told = answer.includes("-32014") ? (JSON.parse(answer.slice(2)) as Refusal) : undefined;
    expect(problems).toEqual(told?.error.data.problems ?? []);
  }
});

test("it says what the gateway does by default", () => {
  expect(defaultBounds).toMatchObject({
    connectionsMax: 10_000,
    inFlightCallsMax: 1000,
    callDeadlineMs: 30_000,
    drainMs: 10_000,
    pingMs: 20_000,
  });
});

interface Refusal {
  readonly error: { readonly data: { readonly problems: readonly object[] } };
}

interface Example {
  readonly method: string;
  readonly params?: Record<string, unknown>;
}
