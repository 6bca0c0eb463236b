/**
 * Who commits looks for watches afterwards, so tasks need no mark. To set it took the lock of a task
 * at the very moment in which another node was to claim it. Safe for running workers: no. Older nodes
 * read the mark in each commit; stop them first.
 */
export const watchesWithoutMarks = `
alter table kantoku.tasks drop column watched;
`;
