/**
 * To a planner that believes the table to be empty, this index is as good a way to an id as the one
 * of the ids, and of equal ones it takes the newest: each turn would then go through all of it. The
 * condition always holds, but only lists state it, so that nobody else can take the index. Safe
 * for running workers: yes. Older nodes find a definition's tasks by going through all.
 */
export const idsByTheirOwnIndex = `
drop index kantoku.tasks_by_definition;
create index tasks_by_definition on kantoku.tasks (
  hashtext(namespace), hashtext(definition), id
) where depth >= 0;
`;
