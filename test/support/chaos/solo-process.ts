/** A node with its worker in one process: runs a task, then leaves others behind when it is killed. */
import { start } from "../../../runtime/index.ts";
import { everything, nap, noop } from "./tasks.ts";

interface SoloSettings {
  readonly dataDir: string;
  /** How many tasks to leave behind: submitted, and still running when their ids are told. */
  readonly leaveBehind: number;
}

process.once("disconnect", () => process.exit(1));
const { dataDir, leaveBehind } = JSON.parse(process.argv[2] ?? "{}") as SoloSettings;
const kantoku = await start({ dataDir, definitions: everything, name: "solo", slots: 50 });
const output = await kantoku.run(noop({ n: 1 }));
process.send?.({ firstOutput: output });

const handles = await Promise.all(
  Array.from({ length: leaveBehind }, (_, n) => kantoku.submit(nap({ n, ms: 300 }))),
);
process.send?.({ acknowledged: handles.map(({ id }) => id) });
process.once("SIGTERM", () => void kantoku.close().then(() => process.exit(0)));
