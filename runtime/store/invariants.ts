/**
 * What holds of everything stored, between any two commits. Each store's doctor has one check for
 * each of these, under the same name.
 */
export const invariants = {
  "journal-gapless": "The events of an actor are numbered 1, 2, 3 … without gaps.",
  "journal-matches-seq":
    "The seq of a task or worker is that of its last event; of a task that runs, but for its last steps.",
  "journal-has-actor": "Every journal belongs to a task or a worker.",
  "queue-matches-ready": "A task is in the queue if and only if it is ready and nobody owns it.",
  "ended-is-final":
    "A task has ended if and only if its journal has; after that only late attempts and a restart are noted.",
  "ended-has-end": "A task that has ended says when, and no other does.",
  "ended-has-output-or-error": "A task that succeeded has an output, one that failed an error.",
  "one-outcome-per-attempt": "No attempt has two outcomes.",
  "owner-is-live": "Whoever owns a task has a lease row.",
  "running-has-worker":
    "A task that a worker does is, while it runs or is being cancelled, on a worker that exists.",
  "timers-have-waiting-task": "A start timer's task is waiting; any timer's task has not ended.",
  "waiting-has-waker":
    "A waiting task has a timer or a letter that wakes it, or a dependency that has not ended.",
  "gate-counts-dependencies": "A gate counts the dependencies of its task that have not ended.",
  "mail-has-actor": "Every letter is addressed to a task that exists.",
} as const satisfies Readonly<Record<string, string>>;

export type Invariant = keyof typeof invariants;
