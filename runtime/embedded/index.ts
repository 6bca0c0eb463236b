export type { Binaries } from "./binaries.ts";
export type { EmbeddedDatabase, EmbeddedDatabaseOptions } from "./embedded-database.ts";
export { openEmbeddedDatabase } from "./embedded-database.ts";
export { embeddedBinaries, pgCtl } from "./pg-ctl.ts";
