import type { Letter, TaskRow } from "../rows.ts";
import type { MailStore } from "../store.ts";
import { isLive, mayTake, take } from "./ownership.ts";
import type { Tables } from "./tables.ts";

export function createMailStore(tables: Tables): MailStore {
  const { letters, tasks } = tables;
  return {
    async post(letter) {
      if (!letters.has(letter.id)) letters.set(letter.id, letter);
    },

    async collect(node, limit, inHand) {
      if (!isLive(tables, node)) return [];
      const collected: { letter: Letter; task: TaskRow }[] = [];
      const skipped = new Set(inHand);
      for (const letter of letters.values()) {
        if (skipped.has(letter.id)) continue;
        if (collected.length >= limit) break;
        const task = tasks.get(letter.actor);
        if (task === undefined || !mayTake(tables, node, task)) continue;
        collected.push({ letter, task: take(tables, node, task) });
      }
      return collected;
    },

    async deleteOrphans() {
      const orphans = [...letters.values()].filter(({ actor }) => !tasks.has(actor));
      for (const { id } of orphans) letters.delete(id);
      return orphans.length;
    },
  };
}
