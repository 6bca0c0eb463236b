import type { MailStore } from "../store.ts";
import type { Connections } from "./connections.ts";
import { mayTake, ownLease, takeChosen } from "./ownership.ts";
import { taskColumns, taskOf } from "./rows.ts";

const post = `
insert into kantoku.mail (id, actor, message) values ($1::uuid, $2::uuid, $3::text::json)
on conflict (id) do nothing`;

/** Ids are in order of time: letters come in the order in which they were written. */
export const collect = `
with ${ownLease}, letters as (
  select mail.id as letter, tasks.id
  from own
  cross join kantoku.mail as mail
  join kantoku.tasks as tasks on tasks.id = mail.actor
  where ${mayTake}
  order by mail.id
  limit $2::int
  for no key update of tasks skip locked
), chosen as (
  select distinct id from letters
), ${takeChosen}
select ${taskColumns.of("taken")}, mail.id as letter, mail.message
from taken
join kantoku.mail as mail on mail.actor = taken.id
order by mail.id
limit $2::int`;

const deleteOrphans = `
delete from kantoku.mail as mail
where not exists (select from kantoku.tasks where tasks.id = mail.actor)`;

export function createMailStore({ takings, desk }: Connections): MailStore {
  return {
    async post({ id, actor, message }) {
      await desk.ask(post, [id, actor, message]);
    },

    async collect(node, limit) {
      const rows = await takings.ask(collect, [node, limit]);
      return rows.map((row) => ({
        letter: {
          id: String(row["letter"]),
          actor: String(row["id"]),
          message: String(row["message"]),
        },
        task: taskOf(row),
      }));
    },

    async deleteOrphans() {
      return (await desk.ask(deleteOrphans)).count;
    },
  };
}
