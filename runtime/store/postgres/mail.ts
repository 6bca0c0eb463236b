import type { MailStore } from "../store.ts";
import { plainArray } from "./arrays.ts";
import type { Connections } from "./connections.ts";
import { lockedTask, mayTake, ownLease, tail, takeChosen, takenBy } from "./ownership.ts";
import { taskColumns } from "./rows.ts";

const post = `
insert into kantoku.mail (id, actor, message) values ($1::uuid, $2::uuid, $3::text::json)
on conflict (id) do nothing`;

/** Ids are in order of time: letters come in the order in which they were written. */
export const collect = `
with ${ownLease}, chosen as (
  select mail.id as letter, mail.message, ${taskColumns.of("task")}
  from own
  cross join kantoku.mail as mail
  cross join lateral ${lockedTask("mail.actor", { where: mayTake, whenTaken: "skip" })} as task
  where mail.id <> all ($3::text::uuid[])
  order by mail.id
  limit $2::int
  for no key update of mail skip locked
), ${takeChosen}
select letter, message, ${taskColumns.bare}, ${tail} from chosen order by letter`;

const deleteOrphans = `
delete from kantoku.mail as mail
where not exists (select from kantoku.tasks where tasks.id = mail.actor)`;

export function createMailStore({ takings, desk, retention }: Connections): MailStore {
  return {
    async post({ id, actor, message }) {
      await desk.ask(post, [id, actor, message]);
    },

    async collect(node, limit, inHand) {
      const rows = await takings.ask(collect, [node, limit, plainArray(inHand)]);
      const tasks = await takenBy(node, rows, { send: takings.ask });
      return tasks.map((task, index) => ({
        letter: {
          id: String(rows[index]?.["letter"]),
          actor: task.id,
          message: String(rows[index]?.["message"]),
        },
        task,
      }));
    },

    async deleteOrphans() {
      return (await retention.ask(deleteOrphans)).count;
    },
  };
}
