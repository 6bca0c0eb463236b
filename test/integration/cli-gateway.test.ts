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

/** The URL of a server that answers every POST, and every upgrade, as the listener says. */
async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}/rpc`;
}
