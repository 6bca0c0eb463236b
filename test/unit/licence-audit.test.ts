import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  classifyLicence,
  classOfExpression,
  recogniseText,
} from "../../examples/licence-audit/licence.ts";
import { findPackages, measureFolder, readPackage } from "../../examples/licence-audit/packages.ts";
import { summarise } from "../../examples/licence-audit/summary.ts";
import type { Finding } from "../../examples/licence-audit/tasks.ts";

const permissionOfMit = `Permission is hereby granted, free of charge, to any person obtaining a copy of
this software and associated documentation files (the "Software"), to deal in the Software without
restriction, including without limitation the rights to use, copy, modify, merge, publish, distribute,
sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is furnished to
do so`;
const permissionOfIsc = `Permission to use, copy, modify, and/or distribute this software for any purpose
with or without fee is hereby granted`;
const permissionOfBsd = `Redistribution and use in source and binary forms, with or without modification,
are permitted provided that the following conditions are met:`;
const mit = `The MIT License\n\nCopyright (c) Somebody\n\n${permissionOfMit}, subject to the following`;

describe("recogniseText", () => {
  test.each([
    ["MIT", mit],
    ["MIT", `# License\n\n> ${permissionOfMit.replaceAll("\n", "\n> ")}, subject to the following`],
    ["MIT-0", `${permissionOfMit}.\n\nTHE SOFTWARE IS PROVIDED "AS IS"`],
    ["ISC", `${permissionOfIsc}, provided that the above copyright notice appear in all copies.`],
    ["0BSD", `${permissionOfIsc}.\n\nTHE SOFTWARE IS PROVIDED "AS IS"`],
    ["BSD-2-Clause", `${permissionOfBsd} 1. Redistributions of source code must retain`],
    ["BSD-3-Clause", `${permissionOfBsd} 1. … 3. Neither the name of the copyright holder`],
    ["Apache-2.0", "                Apache License\n           Version 2.0, January 2004"],
    ["CC0-1.0", "CC0 1.0 Universal\n\nStatement of Purpose"],
    ["CC-BY-4.0", "Attribution 4.0 International"],
    ["Unlicense", "This is free and unencumbered software released into the public domain."],
    [
      "MPL-2.0",
      "Mozilla Public License Version 2.0\n… the GNU General Public License, Version 2.0",
    ],
    ["EPL-2.0", "Eclipse Public License - v 2.0"],
    ["LGPL-2.1", "GNU LESSER GENERAL PUBLIC LICENSE\n       Version 2.1, February 1999"],
    ["LGPL-3.0", "GNU LESSER GENERAL PUBLIC LICENSE\n   Version 3, 29 June 2007"],
    ["GPL-2.0", "GNU GENERAL PUBLIC LICENSE\n  Version 2, June 1991"],
    ["GPL-3.0", "GNU GENERAL PUBLIC LICENSE\n  Version 3, 29 June 2007"],
    ["AGPL-3.0", "GNU AFFERO GENERAL PUBLIC LICENSE\n  Version 3, 19 November 2007"],
    ["Zlib", "This software is provided 'as-is', without any express or implied warranty."],
  ])("knows %s", (id, text) => {
    expect(recogniseText(text)).toBe(id);
  });

  test("takes the first of several: a package's own comes before those it bundles", () => {
    expect(recogniseText(`${mit}\n\n# Bundled\n\nApache License Version 2.0`)).toBe("MIT");
    expect(recogniseText(`Apache License Version 2.0\n\n# Bundled\n\n${mit}`)).toBe("Apache-2.0");
  });

  test("knows nothing of other texts", () => {
    expect(recogniseText("Copyright (c) Somebody. All rights reserved.")).toBeUndefined();
  });
});

describe("classOfExpression", () => {
  test.each([
    ["MIT", "permissive"],
    ["mit", "permissive"],
    ["LGPL-3.0-or-later", "weak copyleft"],
    ["GPL-2.0+", "copyleft"],
    ["MIT OR GPL-3.0-only", "permissive"],
    ["(MIT AND GPL-3.0-only)", "copyleft"],
    ["MIT AND (MPL-2.0 OR GPL-2.0-only)", "weak copyleft"],
    ["GPL-2.0-only OR MIT AND MPL-2.0", "weak copyleft"],
    ["GPL-2.0-only WITH Classpath-exception-2.0", "copyleft"],
    ["GPL-2.0-only WITH Classpath-exception-2.0 OR MIT", "permissive"],
    ["MIT AND Somebody-1.0", "unknown"],
    ["MIT OR", "unknown"],
    ["(MIT", "unknown"],
    ["MIT ISC", "unknown"],
    ["", "unknown"],
  ])("%s is %s", (expression, licenceClass) => {
    expect(classOfExpression(expression)).toBe(licenceClass);
  });
});

describe("classifyLicence", () => {
  test.each([
    [{ license: "MIT" }, "MIT", "permissive"],
    [{ license: " Apache 2.0 " }, "Apache-2.0", "permissive"],
    [{ license: { type: "MIT", url: "https://example.org" } }, "MIT", "permissive"],
    [{ license: ["MIT", "Apache-2.0"] }, "(MIT OR Apache-2.0)", "permissive"],
    [
      { licenses: [{ type: "MPL-2.0" }, { type: "GPL-2.0" }] },
      "(MPL-2.0 OR GPL-2.0)",
      "weak copyleft",
    ],
    [{ licenses: [{ type: "BSD" }] }, "BSD", "permissive"],
    [{ license: "UNLICENSED" }, "UNLICENSED", "unknown"],
    [{ license: "Somebody's" }, "Somebody's", "unknown"],
  ])("reads %j", (fields, id, licenceClass) => {
    expect(classifyLicence(fields, undefined)).toEqual({
      id,
      class: licenceClass,
      from: "package.json",
    });
  });

  test.each([
    [{}],
    [{ license: "" }],
    [{ license: 7 }],
    [{ license: "SEE LICENSE IN COPYING" }],
    [{ license: "Somebody's" }],
  ])("asks the licence file where package.json has no answer: %j", (fields) => {
    expect(classifyLicence(fields, mit)).toEqual({
      id: "MIT",
      class: "permissive",
      from: "licence file",
    });
  });

  test("has no answer where neither has one", () => {
    const none = { id: "none", class: "unknown", from: "nowhere" };
    expect(classifyLicence({}, undefined)).toEqual(none);
    expect(classifyLicence({}, "All rights reserved")).toEqual(none);
  });

  test("says when the two contradict each other", () => {
    expect(classifyLicence({ license: "ISC" }, mit)).toMatchObject({
      id: "ISC",
      contradiction: "MIT",
    });
    expect(classifyLicence({ license: "UNLICENSED" }, mit)).toMatchObject({
      class: "unknown",
      contradiction: "MIT",
    });
    expect(classifyLicence({ license: "ISC OR MIT" }, mit)).not.toHaveProperty("contradiction");
  });
});

describe("packages", () => {
  const root = mkdtempSync(join(tmpdir(), "kantoku-packages-"));
  const files = {
    "node_modules/.package-lock.json": "{}",
    "node_modules/.bin/tool/package.json": "{}",
    "node_modules/a/package.json": '{"name":"a","version":"1.2.3","license":"MIT"}',
    "node_modules/a/LICENSE-3rdparty.csv": "b,ISC",
    "node_modules/a/licence.md": "the text",
    "node_modules/a/lib/index.js": "12345",
    "node_modules/a/node_modules/b/package.json": "{}",
    "node_modules/@scope/c/package.json": "not JSON",
    "node_modules/@scope/empty/README.md": "",
  };

  beforeAll(() => {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
  });
  afterAll(() => rmSync(root, { recursive: true }));

  test("are found under scopes and in each other", async () => {
    expect(await findPackages(root)).toEqual([
      "node_modules/@scope/c",
      "node_modules/a",
      "node_modules/a/node_modules/b",
    ]);
    expect(await findPackages(join(root, "nowhere"))).toEqual([]);
  });

  test("are read with their licence file, if they have one", async () => {
    expect(await readPackage(join(root, "node_modules/a"))).toEqual({
      name: "a",
      version: "1.2.3",
      licenceFields: { license: "MIT", licenses: undefined },
      licenceFile: { name: "licence.md", text: "the text" },
    });
    const unreadable = await readPackage(join(root, "node_modules/@scope/c"));
    expect(unreadable).toMatchObject({ name: "c", version: "0.0.0", licenceFields: {} });
    expect(unreadable).not.toHaveProperty("licenceFile");
  });

  test("are measured without those nested in them", async () => {
    const own = ["package.json", "LICENSE-3rdparty.csv", "licence.md", "lib/index.js"] as const;
    const bytes = own.reduce((sum, name) => sum + files[`node_modules/a/${name}`].length, 0);
    const signal = new AbortController().signal;
    expect(await measureFolder(join(root, "node_modules/a"), signal)).toEqual({ bytes, files: 4 });
  });
});

describe("summarise", () => {
  const plain: Finding = {
    name: "plain",
    version: "1.0.0",
    licence: "MIT",
    class: "permissive",
    licenceFile: "LICENSE",
    bytes: 10,
    files: 2,
  };

  test("counts by licence and by class", () => {
    const weak = { ...plain, name: "weak", licence: "MPL-2.0", class: "weak copyleft" } as const;
    const summary = summarise([weak, plain, { ...plain, name: "big", bytes: 30 }]);
    expect(summary).toMatchObject({ packages: 3, bytes: 50, files: 6 });
    expect(summary.licences).toEqual([
      { licence: "MIT", class: "permissive", packages: 2, bytes: 40 },
      { licence: "MPL-2.0", class: "weak copyleft", packages: 1, bytes: 10 },
    ]);
    expect(summary.classes.map((row) => row.packages)).toEqual([2, 1, 0, 0]);
    expect(summary.largest[0]).toEqual({ package: "big@1.0.0", bytes: 30 });
  });

  test.each([
    ["GPL-3.0 is copyleft", { licence: "GPL-3.0", class: "copyleft" }],
    ["UNLICENSED is unknown", { licence: "UNLICENSED", class: "unknown" }],
    ["names no licence", { licence: "none", class: "unknown", licenceFile: null }],
    ["says MIT, but ships no licence file", { licenceFile: null }],
    ["says MIT, but its LICENSE reads like ISC", { contradiction: "ISC" }],
  ] as const)("remarks: %s", (remark, odd) => {
    expect(summarise([plain, { ...plain, name: "odd", ...odd }]).toLookAt).toEqual([
      { package: "odd@1.0.0", remark },
    ]);
  });

  test("sums up nothing", () => {
    expect(summarise([])).toMatchObject({ packages: 0, bytes: 0, licences: [], toLookAt: [] });
  });
});
