import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { addExamples, type Format, formatOption } from "../options.ts";
import { print, printJson } from "../output/terminal.ts";

export function addVersionCommand(program: Command): void {
  const version = program
    .command("version")
    .description("Print the version")
    .addOption(formatOption())
    .action(showVersion);
  addExamples(version, ["ktk version", "ktk version -o json"]);
}

function showVersion({ output }: { readonly output?: Format }): void {
  const version = readVersion();
  if (output === "json") printJson({ version, node: process.versions.node });
  else print(lineOf(version));
}

/** As every program is asked for it, too. */
export function addVersionFlag(program: Command): void {
  program.version(lineOf(readVersion()), "-V, --version", "print the version");
}

function lineOf(version: string): string {
  return `kantoku ${version}`;
}

function readVersion(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { readonly version: string }).version;
}
