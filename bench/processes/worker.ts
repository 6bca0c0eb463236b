import { connect } from "kantoku";
import { noop, slowSteps, tenSteps } from "../definitions.ts";

/** A worker over the gateway; says when it serves. */
const [url = "", slots = "1000"] = process.argv.slice(2);
const kantoku = await connect(url);
await kantoku.work([noop, tenSteps, slowSteps], { name: "bench", slots: Number(slots) });
process.once("SIGTERM", () => void kantoku.close().then(() => process.exit(0)));
process.on("disconnect", () => process.exit(1));
process.send?.({ pid: process.pid });
