import type { Finding, Summary } from "./tasks.ts";

/**
 * Findings as counts and sizes, each list with its largest first. A preprocessor: its source runs
 * in a sandbox, so that all it uses stands inside of it.
 */
export function summarise(findings: readonly Finding[]): Summary {
  const classes = ["permissive", "weak copyleft", "copyleft", "unknown"] as const;
  const largestMax = 5;

  const tally = (group: readonly Finding[]) => ({
    packages: group.length,
    bytes: group.reduce((sum, { bytes }) => sum + bytes, 0),
  });
  const nameOf = ({ name, version }: Finding) => `${name}@${version}`;
  // Why a person should look at a package; nothing for most.
  const remarksOn = (finding: Finding): readonly string[] => {
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
  };

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
    classes: classes.map((name) => ({
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
