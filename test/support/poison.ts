import { maxLost } from "../../runtime/machines/task.context.ts";
import type { EngineRig } from "./engine-rig.ts";

/** Losses after which a task that kills every worker is quarantined: two that make it suspect first. */
export const lossesUntilQuarantine = maxLost + 2;

/** A task that killed its worker until nobody dared run it again. */
export async function quarantine(rig: EngineRig): Promise<string> {
  const id = await rig.submit({ input: "poison" });
  for (let death = 1; death <= lossesUntilQuarantine; death += 1) {
    await rig.worker({ name: "victim", instance: `victim-${death}` });
    await rig.settle();
  }
  await rig.worker({ name: "victim", instance: "survivor" });
  await rig.settle();
  return id;
}
