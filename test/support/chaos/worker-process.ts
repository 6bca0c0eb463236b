/** A worker of everything; it ends with its parent. */
import { connect } from "../../../sdk/index.ts";
import { everything } from "./tasks.ts";

export interface WorkerSettings {
  readonly urls: readonly string[];
  readonly name: string;
  readonly slots: number;
}

/** A worker may be told to start while no node is up. */
const connectTimeoutMs = 60_000;

process.once("disconnect", () => process.exit(1));
const { urls, name, slots } = JSON.parse(process.argv[2] ?? "{}") as WorkerSettings;
const kantoku = await connect(urls, { connectTimeoutMs });
const worker = await kantoku.work(everything, { name, slots });
void worker.ended.then((end) => console.error(JSON.stringify({ at: new Date(), end })));
process.once("SIGTERM", () => {
  void worker
    .drain()
    .then(() => kantoku.close())
    .then(() => process.exit(0));
});
process.send?.({ worker: worker.id });
