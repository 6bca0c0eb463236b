import { expect, test } from "vitest";
import { taskMachine } from "../../runtime/machines/task.machine.ts";

test("the task's context is small enough to be copied fast", () => {
  // Beyond 18 members V8 makes dictionaries of the copies: forty times as slow, at every event.
  expect(Object.keys(taskMachine.config.context ?? {}).length).toBeLessThanOrEqual(18);
});
