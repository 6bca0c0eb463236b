// A later attempt goes on after the steps that were recorded. Prints:
//
//   attempt 1
//   charging 30 euro
//   attempt 2
//   sending the parcel
//   receipt 1, parcel 1

import { task } from "kantoku";
import { start } from "kantoku/runtime";
import { z } from "zod";

let receipts = 0;
let parcels = 0;

const sell = task(
  "sell",
  { input: z.object({ euro: z.number() }), retry: { maxAttempts: 3, min: "10ms" } },
  async ({ euro }, { attempt, step }) => {
    console.log(`attempt ${attempt}`);

    // Its outcome is in the journal before the next line runs; attempt 2 reads it from there.
    const receipt = await step("charge", () => {
      console.log(`charging ${euro} euro`);
      receipts += 1;
      return receipts;
    });

    if (attempt === 1) throw new Error("the power went out");

    const parcel = await step("send", () => {
      console.log("sending the parcel");
      parcels += 1;
      return parcels;
    });
    return `receipt ${receipt}, parcel ${parcel}`;
  },
);

const kantoku = await start({ definitions: [sell] });
console.log(await kantoku.run(sell({ euro: 30 })));
await kantoku.close();
