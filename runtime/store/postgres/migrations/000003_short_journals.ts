/**
 * A task whose journal is short has no snapshot while its owner has it in memory, and none when it
 * has ended: to fold three events again costs less than to write what they came to, twice. Safe for
 * running workers: yes. Older nodes make such a snapshot again from the journal.
 */
export const shortJournals = `
alter table kantoku.tasks alter column snapshot drop not null;
`;
