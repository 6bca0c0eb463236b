import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Binaries } from "./binaries.ts";
import { writeWhole } from "./messages.ts";
import type { Postmaster } from "./postmaster.ts";
import { adoptPostmaster, StartRefused, startPostmaster } from "./postmaster.ts";
import { serverLogFile } from "./server-log.ts";
import { sharedBufferSizes } from "./settings.ts";

const retryMs = 100;
const retriesForMs = 30_000;

/** What a server that refused to start may write, and what to try then. */
const refusals = {
  portTaken: /Address already in use|could not create any TCP\/IP sockets/,
  // Backends outlive a killed postmaster by the statement that they are in.
  backendsLeft: /pre-existing shared memory block/,
  memoryShort: /could not (?:map anonymous|create|resize) shared memory|Cannot allocate memory/,
} as const;

interface ServerPlan {
  readonly home: string;
  readonly binaries: Binaries;
  /** Whether clients hold a URL already, so that another port would strand them. */
  readonly keepsPort: boolean;
}

/** Adopts the running server or starts one, on the port of last time where that is free. */
export async function bringUp(plan: ServerPlan): Promise<Postmaster> {
  const running = await adoptPostmaster(plan.home);
  const postmaster = running ?? (await start(plan));
  writeWhole(portFile(plan.home), String(postmaster.port));
  return postmaster;
}

async function start({ home, binaries, keepsPort }: ServerPlan): Promise<Postmaster> {
  const giveUpAt = performance.now() + retriesForMs;
  const smallerBuffers = [...sharedBufferSizes];
  let sharedBuffers = smallerBuffers.shift();
  let port = lastPort(home) ?? (await freePort());

  while (sharedBuffers !== undefined) {
    try {
      return await startPostmaster({ home, binaries, port, sharedBuffers });
    } catch (error) {
      const refusal = error instanceof StartRefused ? refusalIn(error.log) : undefined;
      if (refusal === undefined || performance.now() > giveUpAt) throw error;
      if (refusal === "portTaken" && !keepsPort) port = await freePort();
      if (refusal === "memoryShort") sharedBuffers = smallerBuffers.shift();
      await sleep(retryMs);
    }
  }
  throw new Error(`too little shared memory for a server, see ${serverLogFile(home)}`);
}

function refusalIn(log: string): keyof typeof refusals | undefined {
  if (refusals.portTaken.test(log)) return "portTaken";
  // Before memoryShort: both speak of shared memory.
  if (refusals.backendsLeft.test(log)) return "backendsLeft";
  if (refusals.memoryShort.test(log)) return "memoryShort";
  return undefined;
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const address = probe.address();
  probe.close();
  await once(probe, "close");
  if (typeof address === "object" && address !== null) return address.port;
  throw new Error("no free port on 127.0.0.1");
}

function lastPort(home: string): number | undefined {
  try {
    return Number(readFileSync(portFile(home), "utf8")) || undefined;
  } catch {
    return undefined;
  }
}

function portFile(home: string): string {
  return join(home, "port");
}
