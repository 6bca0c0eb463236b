import type { TaskState } from "../../rows.ts";
import { plainArray, textArray } from "../arrays.ts";
import type { Parameter } from "../line.ts";

/** What turns change, a column each, in the order in which both statements that write it name it. */
export function stateParameters(states: readonly TaskState[]): Parameter[] {
  return [
    textArray(states.map(({ status }) => status)),
    textArray(states.map(({ version }) => version)),
    plainArray(states.map(({ seq }) => seq)),
    textArray(states.map(({ snapshot }) => snapshot)),
    plainArray(states.map(({ owner }) => owner)),
    plainArray(states.map(({ worker }) => worker)),
    plainArray(states.map(({ attempt }) => attempt)),
    textArray(states.map(({ output }) => output)),
    textArray(states.map(({ error }) => error)),
    plainArray(states.map(({ startedAt }) => startedAt)),
    plainArray(states.map(({ endedAt }) => endedAt)),
  ];
}
