import type { Figure, Measure } from "../figures.ts";

/** What the process of one peer tells its parent. */
export type Message = { figure: Figure } | { error: string };

process.once("disconnect", () => process.exit());
await tellFigures().catch((error) => tell({ error: String(error?.message ?? error) }));
process.exit();

async function tellFigures(): Promise<void> {
  const databaseUrl = process.env["KANTOKU_BENCH_PEER_URL"] ?? "";
  const { measure }: { measure: Measure } = await import(process.argv[2] ?? "");
  const told: Promise<void>[] = [];
  await measure(databaseUrl, (figure) => told.push(tell({ figure })));
  await Promise.all(told);
}

function tell(message: Message): Promise<void> {
  return new Promise((resolve) => {
    process.send?.(message, () => resolve());
  });
}
