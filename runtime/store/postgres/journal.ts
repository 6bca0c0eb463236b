import type { JournalStore } from "../store.ts";
import { boundedPart, partOf } from "./bounded-part.ts";
import type { Connections } from "./connections.ts";
import { eventOf, isId } from "./rows.ts";

export const readEvents = `
select seq, type, at, data from kantoku.events
where actor = $1::uuid and seq > $2::int
order by seq limit $3::int`;

export const readPartOfEvents = boundedPart({
  text: readEvents,
  columns: "seq, type, at, data",
  large: ["data"],
  order: "seq",
  bytesMax: "$4::bigint",
});

export const readEventsOfType = `
select seq, type, at, data from kantoku.events
where actor = $1::uuid and seq > $2::int and type = $3::text
order by seq limit $4::int`;

export function createJournalStore({ readers }: Connections): JournalStore {
  return {
    async read(actor, after, limit) {
      if (!isId(actor)) return [];
      return (await readers.ask(readEvents, [actor, after, limit])).map(eventOf);
    },

    async readPart(actor, { after, limit, bytesMax }) {
      if (!isId(actor)) return { rows: [], isCut: false };
      const parameters = [actor, after, limit, bytesMax];
      return partOf(await readers.ask(readPartOfEvents, parameters), eventOf);
    },

    async readType(actor, type, after, limit) {
      if (!isId(actor)) return [];
      return (await readers.ask(readEventsOfType, [actor, after, type, limit])).map(eventOf);
    },
  };
}
