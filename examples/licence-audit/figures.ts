const sizes = ["B", "kB", "MB", "GB"] as const;

export function formatBytes(bytes: number): string {
  const rank = Math.min(sizes.length - 1, Math.floor(Math.log10(Math.max(bytes, 1)) / 3));
  const digits = rank === 0 ? 0 : 1;
  return `${(bytes / 1000 ** rank).toFixed(digits)} ${sizes[rank]}`;
}

export function formatMs(ms: number): string {
  if (ms < 1000) return `${ms.toFixed(0)} ms`;
  return `${(ms / 1000).toFixed(1)} s`;
}

/** `0` for none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

export type Align = "left" | "right";

/** Lines of cells, padded to columns; the last column is not padded. */
export function alignColumns(
  rows: readonly (readonly string[])[],
  aligns: readonly Align[],
): readonly string[] {
  const widths = aligns.map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, at) => {
        const width = widths[at] ?? 0;
        return aligns[at] === "right" ? cell.padStart(width) : cell.padEnd(width);
      })
      .join("   ")
      .trimEnd(),
  );
}
