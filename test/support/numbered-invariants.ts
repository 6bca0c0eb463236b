import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** A promise that a file makes in its header, such as "C1. A lane has one commit in flight." */
interface NumberedInvariant {
  readonly id: string;
  readonly text: string;
  readonly file: string;
}

/** All of them under these folders of the project, by file. */
export function numberedInvariants(root: string, folders: readonly string[]): NumberedInvariant[] {
  return folders
    .flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
        .filter((name) => name.endsWith(".ts"))
        .map((name) => join(folder, name)),
    )
    .sort()
    .flatMap((file) => invariantsIn(readFileSync(join(root, file), "utf8"), file));
}

/** The text goes on over lines that are indented below its first one. */
const pattern = /^ \* ([A-Z]\d+)\.? (.+(?:\n \* {2,}.+)*)/gm;

function invariantsIn(source: string, file: string): NumberedInvariant[] {
  return Array.from(source.matchAll(pattern), ([, id = "", text = ""]) => ({
    id,
    text: text.replaceAll(/\n \* +/g, " "),
    file,
  }));
}
