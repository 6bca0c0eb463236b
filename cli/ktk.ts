#!/usr/bin/env node
import { readFileSync } from "node:fs";
// As a whole: a name that an old Node lacks would end it before it could be told.
import nodeModule from "node:module";
import { complaintAboutNode } from "./node-version.ts";

const { engines } = JSON.parse(
  readFileSync(new URL("../package.json", import.meta.url), "utf8"),
) as { readonly engines: { readonly node: string } };
const complaint = complaintAboutNode(engines.node, process.versions.node);
if (complaint === undefined) {
  // Before anything else is loaded: compiling is two thirds of what a short command takes.
  nodeModule.enableCompileCache();
  await import("./main.ts");
} else {
  console.error(complaint);
  process.exitCode = 1;
}
