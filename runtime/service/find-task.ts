import { KantokuError } from "../../sdk/errors.ts";
import type { TaskRef } from "../../sdk/protocol/task.ts";
import type { Engine } from "../engine/engine.ts";
import type { TaskRow } from "../store/rows.ts";
import { reading } from "./faults.ts";

/** @throws KantokuError `not-found` */
export async function findTask(engine: Engine, namespace: string, ref: TaskRef): Promise<TaskRow> {
  const row = await reading(() =>
    "id" in ref
      ? isTaskId(ref.id)
        ? engine.store.tasks.read(namespace, ref.id)
        : Promise.resolve(null)
      : engine.store.tasks.readByKey(namespace, ref.key),
  );
  if (row !== null) return row;
  const name = "id" in ref ? ref.id : `with key ${JSON.stringify(ref.key)}`;
  throw new KantokuError("not-found", `there is no task ${name}`, { data: { ...ref } });
}

const idPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

function isTaskId(id: unknown): id is string {
  return typeof id === "string" && idPattern.test(id);
}
