import { limits, namePattern } from "../../sdk/protocol/limits.ts";
import type { RegisterParams } from "../../sdk/protocol/service.ts";
import { invalid } from "./faults.ts";
import { checkAsked, encodeLabels } from "./submit-check.ts";

/** @throws KantokuError `invalid-params` naming the member */
export function checkRegistration(params: RegisterParams): void {
  const { definitions, slots, name, instance } = params;
  if (typeof instance !== "string" || instance === "" || instance.length > 512) {
    throw invalid("instance", "must be a non-empty string");
  }
  if (name !== undefined && !(typeof name === "string" && namePattern.test(name))) {
    throw invalid("name", `must match ${namePattern.source}`);
  }
  if (!Number.isInteger(slots) || slots < 1 || slots > limits.slotsMax) {
    throw invalid("slots", `must be an integer from 1 to ${limits.slotsMax}`);
  }
  if (!Array.isArray(definitions) || definitions.length > limits.definitionsPerWorkerMax) {
    throw invalid("definitions", `must be a list of at most ${limits.definitionsPerWorkerMax}`);
  }
  for (const [index, definition] of definitions.entries()) {
    const { name: definitionName, version = "" } = definition;
    const isNamed = typeof definitionName === "string" && namePattern.test(definitionName);
    if (!isNamed) throw invalid(`definitions[${index}].name`, `must match ${namePattern.source}`);
    if (version !== "" && !namePattern.test(version)) {
      throw invalid(`definitions[${index}].version`, `must match ${namePattern.source}`);
    }
    checkAsked(definition);
  }
  if (params.labels !== undefined) encodeLabels(params.labels);
}
