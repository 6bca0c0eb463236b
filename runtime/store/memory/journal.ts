import type { EventRow } from "../rows.ts";
import type { JournalStore } from "../store.ts";
import { partOf } from "./bounded-part.ts";
import type { Tables } from "./tables.ts";

export function createJournalStore({ journals }: Tables): JournalStore {
  function pageOf(
    { actor, after, limit }: { actor: string; after: number; limit: number },
    isWanted: (event: EventRow) => boolean,
  ): EventRow[] {
    const page: EventRow[] = [];
    for (const event of journals.get(actor)?.above(after) ?? []) {
      if (page.length >= limit) break;
      if (isWanted(event)) page.push(event);
    }
    return page;
  }

  return {
    async read(actor, after, limit) {
      return pageOf({ actor, after, limit }, () => true);
    },

    async readPart(actor, { after, limit, bytesMax }) {
      const asked = pageOf({ actor, after, limit }, () => true);
      return partOf(asked, { bytesMax, textsOf: ({ data }) => [data] });
    },

    async readType(actor, type, after, limit) {
      return pageOf({ actor, after, limit }, (event) => event.type === type);
    },
  };
}
