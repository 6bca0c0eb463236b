/**
 * Every submit and every end of a task writes an entry of this index. Names made it the most
 * expensive one, with a tenth of all that PostgreSQL does for a task; their hashes are numbers.
 * Safe for running workers: yes. Older nodes find a definition's tasks by going through all.
 */
export const hashedDefinitions = `
drop index kantoku.tasks_by_definition;
create index tasks_by_definition on kantoku.tasks (
  hashtext(namespace), hashtext(definition), id
);
`;
