import { limits, namePattern, priorityDefault } from "../protocol/limits.ts";
import { isRecord } from "../values/record.ts";
import type { Complain } from "./problems.ts";

/** A job as a stage document has it, its defaults filled in. */
export interface Job {
  readonly name: string;
  readonly stage: string;
  readonly kind: string;
  readonly version?: string;
  /** Among the jobs of its stage. */
  readonly priority: number;
  readonly params: Readonly<Record<string, unknown>>;
  readonly retryAttempt: number;
  readonly allowFailure: boolean;
  readonly timeoutMs?: number;
}

const retriesMax = 999_999;
const timeoutSecondsMax = 100 * 365 * 24 * 3_600;

interface Field {
  readonly isGood: (value: unknown) => boolean;
  readonly must: string;
  readonly isRequired?: true;
}

const nameField: Field = {
  isGood: (value) => typeof value === "string" && namePattern.test(value),
  must: `must be text of 1 to ${limits.nameLengthMax} of A–Z a–z 0–9 _ . : / -`,
};
// YAML reads 1.0 as the number 1: what was written is lost by then.
const versionField: Field = { ...nameField, must: `${nameField.must}; put a number in quotes` };

const fields: Readonly<Record<string, Field>> = {
  name: { ...nameField, isRequired: true },
  stage: { ...nameField, isRequired: true },
  kind: { ...nameField, isRequired: true },
  version: versionField,
  priority: {
    isGood: (value) => isIntegerWithin(value, { min: -(2 ** 31), max: 2 ** 31 - 1 }),
    must: "must be a 32-bit integer",
  },
  params: { isGood: isRecord, must: "must be an object" },
  retry_attempt: {
    isGood: (value) => isIntegerWithin(value, { min: 0, max: retriesMax }),
    must: `must be an integer from 0 to ${retriesMax}`,
  },
  allow_failure: {
    isGood: (value) => typeof value === "boolean",
    must: "must be true or false",
  },
  timeout: {
    isGood: (value) => typeof value === "number" && value >= 0.001 && value <= timeoutSecondsMax,
    must: `must be a number of seconds, from 0.001 to ${timeoutSecondsMax}`,
  },
};

/** Null when something is wrong with it, after every such thing was noted. */
export function readJob(given: unknown, complain: Complain): Job | null {
  if (!isRecord(given)) {
    complain("", "must be an object");
    return null;
  }
  // A member without a value, as YAML allows it, is a member that is not there.
  const job = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null));
  const unknown = Object.keys(given).filter((member) => !Object.hasOwn(fields, member));
  for (const member of unknown) {
    complain(`.${member}`, `is none of ${Object.keys(fields).join(", ")}`);
  }
  const wrong = Object.entries(fields).filter(([member, field]) => !fits(job[member], field));
  for (const [member, { must }] of wrong) complain(`.${member}`, must);
  return unknown.length + wrong.length > 0 ? null : toJob(job);
}

function fits(value: unknown, { isGood, isRequired }: Field): boolean {
  return value === undefined ? isRequired !== true : isGood(value);
}

function toJob(job: Readonly<Record<string, unknown>>): Job {
  const { name, stage, kind, version, priority, params, retry_attempt, allow_failure, timeout } =
    job as unknown as GoodJob;
  return {
    name,
    stage,
    kind,
    ...(version !== undefined && { version }),
    priority: priority ?? priorityDefault,
    params: params ?? {},
    retryAttempt: retry_attempt ?? 0,
    allowFailure: allow_failure ?? false,
    ...(timeout !== undefined && { timeoutMs: Math.round(timeout * 1_000) }),
  };
}

interface GoodJob {
  readonly name: string;
  readonly stage: string;
  readonly kind: string;
  readonly version?: string;
  readonly priority?: number;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly retry_attempt?: number;
  readonly allow_failure?: boolean;
  readonly timeout?: number;
}

function isIntegerWithin(value: unknown, { min, max }: { min: number; max: number }): boolean {
  return Number.isInteger(value) && (value as number) >= min && (value as number) <= max;
}
