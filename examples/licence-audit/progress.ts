import type { WriteStream } from "node:tty";
import { alignColumns } from "./figures.ts";

/** How far the audit is. */
export interface Standing {
  readonly done: number;
  readonly total: number;
  readonly perSecond: number;
  readonly workers: readonly WorkerStanding[];
}

export interface WorkerStanding {
  readonly name: string;
  readonly pid?: number | undefined;
  readonly done: number;
  readonly running?: number;
}

interface Progress {
  update(standing: Standing): void;
  /** A line that stays. */
  note(line: string): void;
}

const barWidth = 40;
const columnsDefault = 80;
const plainLinesMax = 10;

/** A redrawn picture on a terminal, a few lines anywhere else. */
export function createProgress(out: WriteStream): Progress {
  return out.isTTY ? new Picture(out) : createLines(out);
}

class Picture implements Progress {
  readonly #out: WriteStream;
  #lines: readonly string[] = [];

  constructor(out: WriteStream) {
    this.#out = out;
  }

  update(standing: Standing): void {
    this.#draw("", draw(standing));
  }

  note(line: string): void {
    this.#draw(`${line}\n`, this.#lines);
  }

  #draw(above: string, lines: readonly string[]): void {
    const wipe = this.#lines.length === 0 ? "" : `\x1b[${this.#lines.length}A\x1b[J`;
    // A line that wraps would take two rows, and the next wipe would miss one. Some terminals say 0.
    const width = this.#out.columns || columnsDefault;
    const fitting = lines.map((line) => line.slice(0, width - 1));
    this.#out.write(`${wipe}${above}${fitting.map((line) => `${line}\n`).join("")}`);
    this.#lines = lines;
  }
}

function draw({ done, total, perSecond, workers }: Standing): readonly string[] {
  const filled = Math.floor((barWidth * done) / total);
  const bar = "█".repeat(filled) + "░".repeat(barWidth - filled);
  const rows = workers.map(({ name, pid, done, running }) => [
    name,
    pid === undefined ? "" : `process ${pid}`,
    `${done} done`,
    running === undefined ? "" : `${running} running`,
  ]);
  return [
    `  ${bar}  ${done} of ${total}   ${perSecond.toFixed(0)}/s`,
    ...alignColumns(rows, ["left", "left", "right", "right"]).map((line) => `  ${line}`),
  ];
}

function createLines(out: WriteStream): Progress {
  let written = 0;
  return {
    update({ done, total, perSecond, workers }) {
      const due = Math.floor((plainLinesMax * done) / total);
      if (due <= written) return;
      written = due;
      const shares = workers.map(({ name, done }) => `${name} ${done}`).join(", ");
      out.write(`${done} of ${total} packages, ${perSecond.toFixed(0)}/s (${shares})\n`);
    },
    note: (line) => void out.write(`${line}\n`),
  };
}
