import { writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { readAuthored } from "./authored.ts";

// Run by authors.test.ts under a coverage tool, which rewrites authored.ts.
test("the functions' texts are written down", () => {
  const file = process.env["AUTHORED_FILE"] ?? "";
  expect(file).not.toBe("");
  writeFileSync(file, JSON.stringify(readAuthored()));
});
