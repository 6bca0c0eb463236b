import type { Command } from "commander";
import type { Finding } from "../../sdk/index.ts";
import { exitCodes } from "../failure.ts";
import { askGateway } from "../gateway-client.ts";
import { withDatabaseNamed } from "../given-database.ts";
import {
  addClientOptions,
  addExamples,
  type ClientFlags,
  type Format,
  formatOption,
} from "../options.ts";
import { type Column, formatTable } from "../output/table.ts";
import { print, printJson } from "../output/terminal.ts";
import { readDatabaseUrl } from "../setting-values.ts";
import { readClientSettings } from "../settings.ts";
import { UsageError } from "../usage-error.ts";

interface DoctorFlags extends ClientFlags {
  readonly databaseUrl?: string;
  readonly output?: Format;
}

export function addDoctorCommand(program: Command): void {
  const doctor = program
    .command("doctor")
    .description("Check the invariants in the database; exits with 1 when one is broken")
    .option("--database-url <url>", "look into this database, without a gateway")
    .addOption(formatOption())
    .action(runDoctor);
  addClientOptions(doctor);
  addExamples(doctor, [
    "ktk doctor",
    "ktk doctor --database-url postgres://kantoku@localhost/kantoku -o json",
  ]);
}

async function runDoctor(flags: DoctorFlags): Promise<void> {
  const findings = await (flags.databaseUrl === undefined
    ? examineOverGateway(flags)
    : examineDatabase(readUrlFlag(flags.databaseUrl)));
  if (flags.output === "json") printJson({ findings });
  else print(formatFindings(findings));
  if (findings.length > 0) process.exitCode = exitCodes.failed;
}

async function examineDatabase(url: string): Promise<readonly Finding[]> {
  // Only here: the database's client is more than half of what other commands would load.
  const { examine } = await import("../../runtime/store/postgres/doctor.ts");
  return withDatabaseNamed(examine({ url, schema: "kantoku" }), url);
}

/** It reads whole tables. The gateway itself gives up after thirty seconds. */
const examinationMsMax = 35_000;

async function examineOverGateway(flags: DoctorFlags): Promise<readonly Finding[]> {
  const settings = await readClientSettings(flags);
  const { findings } = await askGateway<{ readonly findings: readonly Finding[] }>(
    { answerTimeoutMs: examinationMsMax, ...settings },
    "system.doctor",
  );
  return findings;
}

function readUrlFlag(given: string): string {
  try {
    return readDatabaseUrl(given);
  } catch (fault) {
    throw new UsageError(`--database-url ${(fault as Error).message}`);
  }
}

const columns: readonly Column<Finding>[] = [
  ["INVARIANT", ({ invariant }) => ({ text: invariant, tone: "bad" })],
  ["COUNT", ({ count }) => `${count}`],
  ["EXAMPLES", ({ examples }) => examples.join(",")],
];

function formatFindings(findings: readonly Finding[]): string {
  return findings.length === 0 ? "all invariants hold" : formatTable(columns, findings);
}
