// Branches that are taken or not, and failures that stop nothing. Prints:
//
//   40 euro: Ada paid 40 euro; no gift; no mail: the mail server is down; no stars
//     failed: ask-for-stars, send-mail; skipped: wrap-gift
//   400 euro: Ada paid 400 euro; a gift for Ada; no mail: the mail server is down; no stars
//     failed: ask-for-stars, send-mail; skipped: none
//   0 euro: null
//     failed: none; skipped: ask-for-stars, charge, finish, gift, send-mail

import { type Pending, pipeline, type TaskStatus, task } from "kantoku";
import { start } from "kantoku/runtime";
import { z } from "zod";

type Order = z.infer<typeof orderSchema>;
const orderSchema = z.object({ customer: z.string(), euro: z.number() });

const check = task("check", { input: orderSchema }, ({ euro }) => ({
  isPayable: euro > 0,
  isLarge: euro >= 100,
}));

const charge = task("charge", { input: orderSchema }, ({ customer, euro }) => ({
  receipt: `${customer} paid ${euro} euro`,
}));

const wrapGift = task(
  "wrap-gift",
  { input: orderSchema },
  ({ customer }) => `a gift for ${customer}`,
);

const sendMail = task("send-mail", { retry: { maxAttempts: 1 } }, (): string => {
  throw new Error("the mail server is down");
});

const askForStars = task("ask-for-stars", { retry: { maxAttempts: 1 } }, (): number => {
  throw new Error("nobody answered");
});

const finish = task(
  "finish",
  {
    input: z.object({
      receipt: z.string(),
      gift: z.string().nullable(),
      mail: z.string(),
      stars: z.number().nullable(),
    }),
  },
  ({ receipt, gift, mail, stars }) =>
    [receipt, gift ?? "no gift", mail, `${stars ?? "no"} stars`].join("; "),
);

// What was skipped is missed by all that wait for it. A pipeline is not: it has nothing to give then.
const gift = pipeline(
  "gift",
  {},
  ({ order, isLarge }: Pending<{ order: Order; isLarge: boolean }>) =>
    wrapGift(order).when(isLarge),
);

const order = pipeline("order", { input: orderSchema }, (input) => {
  const { isPayable, isLarge } = check(input).output;
  // Skipped unless the value is true, and with it all that depend on it.
  const charged = charge(input).when(isPayable);
  const given = gift({ order: input, isLarge }).after(charged);
  // For who depends on them, "continue" puts `{ error }` in place of an output, and "allow" null.
  const mailed = sendMail().after(charged).onFailure("continue");
  const rated = askForStars().after(charged).onFailure("allow");
  return finish({
    receipt: charged.output.receipt,
    gift: given,
    mail: mailed.map((mail) =>
      typeof mail === "string" ? mail : `no mail: ${mail.error.message}`,
    ),
    stars: rated,
  });
});

const kantoku = await start({
  definitions: [check, charge, wrapGift, sendMail, askForStars, finish],
});
for (const euro of [40, 400, 0]) {
  const handle = await kantoku.submit(order({ customer: "Ada", euro }));
  console.log(`${euro} euro: ${await handle.result()}`);
  const { tasks } = await kantoku.list({ root: handle.id });
  const ended = (status: TaskStatus) =>
    tasks
      .filter((it) => it.status === status)
      .map(({ definition }) => definition)
      .toSorted()
      .join(", ") || "none";
  console.log(`  failed: ${ended("failed")}; skipped: ${ended("skipped")}`);
}
await kantoku.close();
