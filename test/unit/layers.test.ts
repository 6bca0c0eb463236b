import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { expect, test } from "vitest";
import { type Room, rooms } from "../support/layer-table.ts";

const root = resolve(import.meta.dirname, "../..");

const sources = rooms
  .map(({ room }) => room.split("/")[0] ?? "")
  .filter((top, index, all) => all.indexOf(top) === index)
  .flatMap((top) => filesUnder(join(root, top)));

test("every import goes to a room that the layer table allows", () => {
  expect(sources.length).toBeGreaterThan(50);
  const broken = sources.flatMap((file) =>
    importsOf(file)
      .filter((specifier) => specifier.startsWith("."))
      .map((specifier) => [file, relative(root, resolve(dirname(join(root, file)), specifier))])
      .filter(([from = "", to = ""]) => !isAllowed(roomOf(from), roomOf(to)))
      .map(([from, to]) => `${from} -> ${to}`),
  );
  expect(broken).toEqual([]);
});

test("every package is imported only in the rooms that name it", () => {
  const broken = sources.flatMap((file) =>
    importsOf(file)
      .filter((specifier) => !specifier.startsWith("."))
      .filter((specifier) => !roomOf(file).packages.some((name) => specifier.startsWith(name)))
      .map((specifier) => `${file} -> ${specifier}`),
  );
  expect(broken).toEqual([]);
});

test("machines name no clock, no randomness, no timers, no async", () => {
  const forbidden = /\bDate\b|Math\.random|setTimeout|setInterval|\bawait\b|\basync\b|"node:/;
  const broken = filesUnder(join(root, "runtime/machines")).filter((file) =>
    forbidden.test(withoutComments(readFileSync(join(root, file), "utf8"))),
  );
  expect(broken).toEqual([]);
});

function isAllowed(from: Room, to: Room): boolean {
  if (from.room === to.room) return true;
  return from.may.some((name) =>
    name.endsWith("/*") ? to.room.startsWith(name.slice(0, -1)) : name === to.room,
  );
}

function roomOf(path: string): Room {
  const candidates = rooms.filter(({ room }) => path === room || path.startsWith(`${room}/`));
  const best = candidates.toSorted((a, b) => b.room.length - a.room.length)[0];
  if (best === undefined) throw new Error(`${path} is in no room of the layer table`);
  return best;
}

function filesUnder(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .filter((path) => !path.includes("node_modules") && !path.startsWith("bench/peers/"));
}

function importsOf(file: string): string[] {
  const text = withoutComments(readFileSync(join(root, file), "utf8"));
  const pattern = /(?:^|\n)\s*(?:import|export)[^"';]*?from\s*"([^"]+)"|import\(\s*"([^"]+)"\s*\)/g;
  return Array.from(text.matchAll(pattern), (match) => match[1] ?? match[2] ?? "");
}

function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\//g, "").replaceAll(/(^|\s)\/\/.*$/gm, "");
}
