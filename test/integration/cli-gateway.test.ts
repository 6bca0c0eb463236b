import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, describe, expect, test } from "vitest";
import { endPrograms, ktk } from "./cli-program.ts";

const servers: Server[] = [];

afterAll(async () => {
  await endPrograms();
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
});

describe.concurrent("what is no gateway's answer", { timeout: 60_000 }, () => {
  test.each([
    [403, "This gateway answers to localhost only\n", "403 This gateway answers to localhost only"],
    [502, "<html>\n<h1>Bad Gateway</h1>", "502 <html>"],
    [503, "", "503 Service Unavailable"],
    [200, '{"message":"who are you?"}', '200 {"message":"who are you?"}'],
  ])("is told with its status, as %i %j is", async (status, text, said) => {
    const url = await serve((_request, response) => response.writeHead(status).end(text));
    const end = await ktk(["describe", "pipeline", "x", "--url", url]);
    const target = url.replace("ws", "http");
    expect(end).toMatchObject({
      code: 1,
      stdout: "",
      stderr: `error: ${target} answers ${said}\n`,
    });
  });

  test("is told where a session was wanted, too", async () => {
    const url = await serve((_request, response) => response.writeHead(403).end("Not you\n"));
    const end = await ktk(["get", "tasks", "--url", url]);
    expect(end).toMatchObject({ code: 1, stdout: "" });
    expect(end.stderr).toBe(`error: no session at ${url} in 3000 ms: 403 Not you\n`);
  });
});

describe.concurrent("of several gateways", { timeout: 60_000 }, () => {
  test.each([
    [-32012, "shutting-down"],
    [-32009, "busy"],
  ])("the next is asked when one answers %i", async (number, code) => {
    const leaving = await serve(answering({ error: { number, code } }));
    const next = await serve(answering({ result: { findings: [] } }));
    const end = await ktk(["doctor", "--url", `${leaving},${next}`]);
    expect(end).toMatchObject({ code: 0, stdout: "all invariants hold\n", stderr: "" });
  });

  test("the last refusal is told when none takes the call", async () => {
    const busy = await serve(answering({ error: { number: -32009, code: "busy" } }));
    const leaving = await serve(answering({ error: { number: -32012, code: "shutting-down" } }));
    const end = await ktk(["doctor", "--url", `${busy},${leaving},ws://127.0.0.1:1`]);
    expect(end).toMatchObject({ code: 1, stdout: "", stderr: "error: it is shutting-down\n" });
  });

  test("the next is not asked when one knows the answer, and it is no", async () => {
    const first = await serve(answering({ error: { number: -32003, code: "not-found" } }));
    const next = await serve(answering({ result: { findings: [] } }));
    const end = await ktk(["doctor", "--url", `${first},${next}`]);
    expect(end).toMatchObject({ code: 1, stdout: "", stderr: "error: it is not-found\n" });
  });
});

interface Said {
  readonly result?: unknown;
  readonly error?: { readonly number: number; readonly code: string };
}

/** Answers both calls of a batch alike. */
function answering({ result, error }: Said): RequestListener {
  const answers = [1, 2].map((id) => ({
    jsonrpc: "2.0",
    id,
    ...(result !== undefined && { result }),
    ...(error && {
      error: { code: error.number, message: `it is ${error.code}`, data: { code: error.code } },
    }),
  }));
  return (_request, response) => response.end(JSON.stringify(answers));
}

/** The URL of a server that answers every POST, and every upgrade, as the listener says. */
async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}/rpc`;
}
