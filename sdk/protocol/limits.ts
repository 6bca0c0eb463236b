const KiB = 1024;
const MiB = 1024 * KiB;

/**
 * Sizes nest: what a payload may hold fits a frame, and what a journal holds fits a page.
 * Bytes are those of the UTF-8 JSON text.
 */
export const limits = {
  /** Tasks in one submitted graph, those of the graphs within it included. */
  graphTasksMax: 1_000,
  /** Tasks under one root. */
  descendantsMax: 10_000,
  /** How many tasks a task may be under. */
  treeDepthMax: 16,
  /** In the input of one task. */
  referencesMax: 10_000,
  /** Of one preprocessor. */
  preprocessorBytesMax: 64 * KiB,
  /** What one preprocessor is given. */
  preprocessorInputBytesMax: 2 * MiB,
  /** Input, output, signal or step value. Larger values belong in a blob store, by reference. */
  payloadBytesMax: 256 * KiB,
  errorBytesMax: 16 * KiB,
  errorMessageBytesMax: 1 * KiB,
  errorFramesMax: 50,
  errorCauseDepthMax: 5,
  /** Labels and metadata, each. */
  attributesBytesMax: 16 * KiB,
  /** V8 parses 500,000 levels and then cannot write them; PostgreSQL stops at 6,000 or so. */
  depthMax: 64,
  nameLengthMax: 200,
  keyLengthMax: 256,
  frameToServerBytesMax: 1 * MiB,
  frameToClientBytesMax: 4 * MiB,
  /** The part of a journal that travels inside an assignment; the rest is read with task.events. */
  assignmentJournalBytesMax: 1 * MiB,
  batchMessagesMax: 100,
  pageRowsMax: 1000,
  slotsMax: 10_000,
  definitionsPerWorkerMax: 1000,
  waitMsMax: 10 * 60_000,
} as const;

/** Of a task that says none; smaller is first. */
export const priorityDefault = 10;

/** Of whoever names none. */
export const namespaceDefault = "default";

/** What the root of a graph that has no name is a task of. */
export const anonymousGraph = "pipeline";

/** Names of definitions, workers, steps and namespaces; versions are written alike. */
export const namePattern = /^[A-Za-z0-9_.:/-]{1,200}$/;
