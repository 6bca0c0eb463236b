import { expect, test } from "vitest";
import { formatAge, formatTook } from "../../cli/output/age.ts";
import { formatFacts, formatTable } from "../../cli/output/table.ts";

const s = 1_000;
const m = 60 * s;
const h = 60 * m;
const d = 24 * h;

test.each([
  [-5 * s, "0s"],
  [999, "0s"],
  [119 * s, "119s"],
  [2 * m, "2m"],
  [3 * m + 12 * s, "3m12s"],
  [10 * m + 12 * s, "10m"],
  [179 * m, "179m"],
  [3 * h + 5 * m, "3h5m"],
  [8 * h + 5 * m, "8h"],
  [2 * d + 3 * h, "2d3h"],
  [8 * d + 3 * h, "8d"],
  [800 * d, "2y70d"],
  [9 * 365 * d, "9y"],
])("an age of %d ms is %s", (ms, text) => {
  expect(formatAge(ms)).toBe(text);
});

test.each([
  [0, "0ms"],
  [12.4, "12ms"],
  [1_240, "1.2s"],
  [12_400, "12s"],
])("what took %d ms took %s", (ms, text) => {
  expect(formatTook(ms)).toBe(text);
});

test("columns are aligned, and a cell stays on its line", () => {
  const table = formatTable<readonly [string, string]>(
    [
      ["NAME", ([name]) => name],
      ["VALUE", ([, value]) => value],
    ],
    [
      ["a", "1\n2"],
      ["longer", ""],
    ],
  );
  expect(table).toBe("NAME     VALUE\na        1 2\nlonger   -");
});

test("no control character of a task's reaches the terminal", () => {
  const facts = formatFacts([
    ["Error", "red \u001b[31m, back \u202e, bell \u0007"],
    ["Absent", undefined],
    ["Lines", "one\ntwo"],
  ]);
  expect(facts).toBe(
    "Error:   red \\u{1b}[31m, back \\u{202e}, bell \\u{7}\nLines:   one\n         two",
  );
});
