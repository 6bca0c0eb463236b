import { licenceClasses } from "./licence.ts";
import type { Finding, Summary } from "./tasks.ts";

const largestMax = 5;

/** Findings as counts and sizes, each list with its largest first. */
export function summarise(findings: readonly Finding[]): Summary {
  const byLicence = Map.groupBy(findings, ({ licence }) => licence);
  const licences = Array.from(byLicence, ([licence, group]) => ({
    licence,
    class: group[0]?.class ?? "unknown",
    ...tally(group),
  }));
  return {
    ...tally(findings),
    files: findings.reduce((sum, { files }) => sum + files, 0),
    licences: licences.toSorted((a, b) => b.packages - a.packages || b.bytes - a.bytes),
    classes: licenceClasses.map((name) => ({
      class: name,
      ...tally(findings.filter((finding) => finding.class === name)),
    })),
    largest: findings
      .toSorted((a, b) => b.bytes - a.bytes)
      .slice(0, largestMax)
      .map((finding) => ({ package: nameOf(finding), bytes: finding.bytes })),
    toLookAt: findings.flatMap((finding) =>
      remarksOn(finding).map((remark) => ({ package: nameOf(finding), remark })),
    ),
  };
}

/** Why a person should look at a package; nothing for most. */
function remarksOn(finding: Finding): readonly string[] {
  const { licence, contradiction, licenceFile } = finding;
  const remarks: string[] = [];
  if (licence === "none") remarks.push("names no licence");
  else if (finding.class !== "permissive") remarks.push(`${licence} is ${finding.class}`);
  if (contradiction !== undefined) {
    remarks.push(`says ${licence}, but its ${licenceFile} reads like ${contradiction}`);
  }
  if (licenceFile === null && licence !== "none") {
    remarks.push(`says ${licence}, but ships no licence file`);
  }
  return remarks;
}

function tally(findings: readonly Finding[]): { packages: number; bytes: number } {
  return {
    packages: findings.length,
    bytes: findings.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

function nameOf({ name, version }: Finding): string {
  return `${name}@${version}`;
}
