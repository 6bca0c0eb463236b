import { type Command, InvalidArgumentError, Option } from "commander";
import { type SettingName, settings } from "./settings.ts";

export interface ClientFlags {
  readonly url?: string;
  readonly namespace?: string;
  readonly answerTimeout?: string;
}

export type Format = "json" | "wide";

/** A flag that is also a setting: its help names the environment variable. */
export function settingOption(name: SettingName, value: string, description: string): Option {
  const { flag, variable } = settings[name];
  const short = name === "namespace" ? "-n, " : "";
  return new Option(`${short}${flag} <${value}>`, `${description} [${variable}]`);
}

export function addClientOptions(command: Command): Command {
  return command
    .addOption(
      settingOption("url", "url", "the gateway; several, separated by commas, are tried in turn"),
    )
    .addOption(settingOption("namespace", "name", "whose tasks and workers"))
    .addOption(
      settingOption(
        "answerTimeout",
        "duration",
        "how long the gateway has for an answer, 10s unless given",
      ),
    );
}

export function formatOption(formats: readonly Format[] = ["json"]): Option {
  return new Option("-o, --output <format>", "instead of text for people").choices(formats);
}

/** Of the words themselves: the parser may have stopped before these. */
export function asksForJson(words: readonly string[]): boolean {
  return words.some((word, index) => {
    if (word === "-o" || word === "--output") return words[index + 1] === "json";
    return word === "-ojson" || word === "--output=json";
  });
}

export function addExamples(command: Command, examples: readonly string[]): Command {
  const lines = examples.map((example) => `  ${example}`).join("\n");
  return command.addHelpText("after", `\nExamples:\n${lines}`);
}

export const labelFlag = "-l, --label <name=value>";

/** Completes the help of a flag of labels. */
export const labelsHelp = "several with commas or repeated; a comma in a value is \\,";

/** Collects `name=value,name=value` of a flag that may stand several times. */
export function readLabels(
  given: string,
  labels: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> {
  const pairs = given.split(/(?<!\\),/).map(readLabel);
  return { ...labels, ...Object.fromEntries(pairs) };
}

function readLabel(given: string): readonly [string, string] {
  const [, name, value] = /^([^=]+)=(.*)$/s.exec(given.replaceAll("\\,", ",")) ?? [];
  if (name !== undefined && value !== undefined) return [name, value];
  throw new InvalidArgumentError("It must look like name=value, or name=value,name=value.");
}

export function readCount(given: string): number {
  const count = readInteger(given);
  if (count < 1) throw new InvalidArgumentError("It must be at least 1.");
  return count;
}

export function readInteger(given: string): number {
  const integer = Number(given);
  if (/^-?\d+$/.test(given) && Number.isSafeInteger(integer)) return integer;
  throw new InvalidArgumentError("It must be an integer.");
}
