import { readAuthored } from "./authored.ts";

console.log(JSON.stringify(readAuthored()));
