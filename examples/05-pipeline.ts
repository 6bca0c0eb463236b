// Tasks composed by passing outputs on: each picture of an album is scaled down in a task of its
// own, and what came of them is reshaped on its way into a report. Prints:
//
//   Night walk: 138 cells are lit
//   moon:
//     .-+******+-.
//   .*@@@@@@@@@@@@*.
//   .*@@@@@@@@@@@@*.
//     .-+******+-.
//   stairs:
//   @@@@
//   @@@@@@@@
//   @@@@@@@@@@@@
//   @@@@@@@@@@@@@@@@
//   door:
//   @@-          -@@
//   @@-          -@@
//   @@- .-+##+-. -@@
//   @@*#@@@@@@@@#*@@
//   media
//   ├─ list-pictures
//   ├─ settings
//   ├─ each, after list-pictures and settings
//   │  ├─ 0.shrink
//   │  ├─ 1.shrink
//   │  └─ 2.shrink, after 0.shrink
//   └─ report, after each

import { each, pipeline, task, toTreeLines } from "kantoku";
import { start } from "kantoku/runtime";
import { z } from "zod";

/** Whether a point is lit; both coordinates go from 0 to 1. */
const album: Readonly<Record<string, (across: number, down: number) => boolean>> = {
  moon: (across, down) => Math.hypot(across - 0.5, down - 0.5) < 0.45,
  stairs: (across, down) => Math.floor(down * 4) >= Math.floor(across * 4),
  door: (across, down) => Math.abs(across - 0.5) > 0.35 || Math.abs(across - 0.5) < down - 0.5,
};
const shades = " .:-=+*#@";

const sizeSchema = z.object({ columns: z.int(), rows: z.int() });

const settings = task("settings", {}, () => ({ size: { columns: 16, rows: 4 } }));

const listPictures = task("list-pictures", {}, () => Object.keys(album));

const shrink = task(
  "shrink",
  { input: z.object({ picture: z.string(), size: sizeSchema }) },
  ({ picture, size: { columns, rows } }) => ({
    picture,
    lines: Array.from({ length: rows }, (_, row) =>
      Array.from({ length: columns }, (_, column) =>
        shadeOf(picture, (x, y) => [(column + x) / columns, (row + y) / rows]),
      )
        .join("")
        .trimEnd(),
    ),
  }),
);

const report = task(
  "report",
  { input: z.object({ title: z.string(), lit: z.int(), lines: z.array(z.string()) }) },
  ({ title, lit, lines }) => [`${title}: ${lit} cells are lit`, ...lines].join("\n"),
);

// The body is called once, here: the calls that it makes become a graph, and nothing runs yet.
const media = pipeline("media", { input: z.object({ title: z.string() }) }, ({ title }) => {
  const { size } = settings().output;
  // One shrink a picture, two at once at most; settings is one task, however often its call is used.
  const small = each(listPictures(), (picture) => shrink({ picture, size }), { limit: 2 });
  // A preprocessor: its source travels to the server and runs in a sandbox there.
  const sheet = small.map((pictures) => ({
    lit: pictures.flatMap(({ lines }) => [...lines.join("").replaceAll(" ", "")]).length,
    lines: pictures.flatMap(({ picture, lines }) => [`${picture}:`, ...lines]),
  }));
  return report({ title, lit: sheet.lit, lines: sheet.lines });
});

const kantoku = await start({ definitions: [settings, listPictures, shrink, report] });
const walk = await kantoku.submit(media({ title: "Night walk" }));
console.log(await walk.result());

// As `npx ktk graph <id>` draws it, on a server that is up.
for (const { indent, task, after } of toTreeLines(await kantoku.graph(walk.id))) {
  console.log(`${indent}${task.name}${after.length > 0 ? `, after ${after.join(" and ")}` : ""}`);
}

await kantoku.close();

function shadeOf(picture: string, toPoint: (x: number, y: number) => [number, number]): string {
  const isLit = album[picture] ?? (() => false);
  const places = Array.from({ length: 8 }, (_, place) => (place + 0.5) / 8);
  const lit = places.flatMap((y) => places.filter((x) => isLit(...toPoint(x, y))));
  return shades.charAt(Math.round((lit.length / 64) * (shades.length - 1)));
}
