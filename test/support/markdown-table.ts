export function tableOf(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, head.map(() => "---"), ...rows];
  return lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

/** The cells of all tables below a heading, up to the next heading of its level or above; heads left out. */
export function rowsBelow(heading: string, page: string): string[][] {
  const level = heading.indexOf(" ");
  const [, section = ""] = page.split(`\n${heading}\n`);
  const [own = ""] = section.split(new RegExp(`\n#{1,${level}} `));
  const lines = own.split("\n").filter((line) => line.startsWith("| "));
  return lines
    .filter((line, index) => !isRule(line) && !isRule(lines[index + 1] ?? ""))
    .map((line) => line.slice(2, -2).split(" | "));
}

function isRule(line: string): boolean {
  return line.startsWith("| --- ");
}
