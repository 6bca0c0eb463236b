import { each, pipeline } from "kantoku";
import { z } from "zod";
import { summarise } from "./summary.ts";
import { auditPackage, listPackages, writeReport } from "./tasks.ts";

/** One task a package, as many as are found, and a report on what they found. */
export const licenceAudit = pipeline(
  "licence-audit",
  { input: z.object({ projectRoot: z.string() }) },
  ({ projectRoot }) => {
    const places = listPackages({ projectRoot });
    const findings = each(places, (place) => auditPackage({ projectRoot, place }));
    return writeReport(findings.map(summarise));
  },
);
