import { join } from "node:path";
import { task } from "kantoku";
import { z } from "zod";
import { classifyLicence, licenceClasses } from "./licence.ts";
import { findPackages, measureFolder, readPackage } from "./packages.ts";
import { toSections } from "./report.ts";

/** What the audit of one package found. */
export type Finding = z.infer<typeof findingSchema>;
const findingSchema = z.object({
  name: z.string(),
  version: z.string(),
  licence: z.string(),
  class: z.enum(licenceClasses),
  contradiction: z.string().optional(),
  licenceFile: z.string().nullable(),
  bytes: z.int(),
  files: z.int(),
});

/** All findings of a run, summed up. */
export type Summary = z.infer<typeof summarySchema>;
const tallySchema = z.object({ packages: z.int(), bytes: z.int() });
const summarySchema = z.object({
  ...tallySchema.shape,
  files: z.int(),
  licences: z.array(
    z.object({ licence: z.string(), class: z.enum(licenceClasses), ...tallySchema.shape }),
  ),
  classes: z.array(z.object({ class: z.enum(licenceClasses), ...tallySchema.shape })),
  largest: z.array(z.object({ package: z.string(), bytes: z.int() })),
  toLookAt: z.array(z.object({ package: z.string(), remark: z.string() })),
});

/** A part of the report. */
export type Section = z.infer<typeof sectionSchema>;
const sectionSchema = z.object({ head: z.string(), lines: z.array(z.string()) });

export const listPackages = task(
  "list-packages",
  { input: z.object({ projectRoot: z.string() }), output: z.array(z.string()) },
  async ({ projectRoot }) => [...(await findPackages(projectRoot))],
);

export const auditPackage = task(
  "audit-package",
  {
    input: z.object({ projectRoot: z.string(), place: z.string() }),
    output: findingSchema,
    retry: { maxAttempts: 3 },
    attemptTimeout: "60s",
  },
  async ({ projectRoot, place }, { abortSignal }) => {
    const folder = join(projectRoot, place);
    const { name, version, licenceFields, licenceFile } = await readPackage(folder);
    const {
      id,
      class: licenceClass,
      contradiction,
    } = classifyLicence(licenceFields, licenceFile?.text);
    return {
      name,
      version,
      licence: id,
      class: licenceClass,
      ...(contradiction !== undefined && { contradiction }),
      licenceFile: licenceFile?.name ?? null,
      ...(await measureFolder(folder, abortSignal)),
    };
  },
);

export const writeReport = task(
  "write-report",
  { input: summarySchema, output: z.array(sectionSchema) },
  toSections,
);
