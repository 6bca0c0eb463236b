import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { WebSocketServer } from "ws";
import { noReply, PeerError, RpcPeer } from "../support/rpc-peer.ts";
import { endPrograms, ktk } from "./cli-program.ts";

const servers: Server[] = [];
const peers: RpcPeer[] = [];

afterAll(async () => {
  await endPrograms();
  for (const peer of peers) await peer[Symbol.asyncDispose]();
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
    const ends = await Promise.all([
      ktk(["get", "tasks", "--url", url]),
      ktk(["get", "tasks", "--url", url, "--answer-timeout", "4s"]),
      ktk(["get", "tasks", "--url", url, "--answer-timeout", "1s"]),
    ]);
    const said = [3000, 4000, 3000].map((ms) => ({
      code: 1,
      stdout: "",
      stderr: `error: no session at ${url} in ${ms} ms: 403 Not you\n`,
    }));
    expect(ends).toMatchObject(said);
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

describe.concurrent("a gateway that does not answer", { timeout: 60_000 }, () => {
  const impatient = ["--answer-timeout", "300ms"];
  const silence = (url: string, ms = 300) =>
    `error: no answer from ${url} in ${ms} ms; --answer-timeout or KANTOKU_ANSWER_TIMEOUT gives it longer\n`;

  test.each([
    ["get", "tasks"],
    ["get", "task", "t"],
    ["get", "workers"],
    ["get", "pipelines"],
    ["describe", "task", "t"],
    ["cancel", "t"],
    ["restart", "t"],
  ])("is not waited for by %s %s", async (...words) => {
    const url = await mute();
    const end = await ktk([...words, "--url", url, ...impatient]);
    expect(end).toEqual({ code: 1, signal: null, stdout: "", stderr: silence(url) });
  });

  test.each([[["doctor"]], [["graph", "t"]], [["describe", "pipeline", "p"]]])(
    "is not waited for by %j, which asks over HTTP",
    async (words) => {
      const url = await mute();
      const end = await ktk([...words, "--url", url], { env: { KANTOKU_ANSWER_TIMEOUT: "300ms" } });
      const target = url.replace("ws", "http");
      expect(end).toEqual({ code: 1, signal: null, stdout: "", stderr: silence(target) });
    },
  );

  test("gives way to the next", async () => {
    const first = await mute();
    const next = await serve(answering({ result: { findings: [] } }));
    const end = await ktk(["doctor", "--url", `${first},${next}`, ...impatient]);
    expect(end).toMatchObject({ code: 0, stdout: "all invariants hold\n", stderr: "" });
  });

  test("has ten seconds unless told otherwise", async () => {
    const url = await mute();
    const end = await ktk(["get", "tasks", "--url", url]);
    expect(end).toMatchObject({ code: 1, stdout: "", stderr: silence(url, 10_000) });
  });

  test("may be given longer than a timer runs", async () => {
    const peer = await RpcPeer.start({
      "task.submit": () => ({ id: "t", status: "ready", created: true }),
      "task.result": () => ({ id: "t", status: "succeeded", output: 7 }),
    });
    peers.push(peer);
    const words = ["--url", peer.url, "--answer-timeout", "40d", "--wait", "40d"];
    const end = await ktk(["run", "x", ...words]);
    expect(end).toMatchObject({ code: 0, stdout: "7\n", stderr: "" });
  });

  test("has as long after the wait for a task", async () => {
    const peer = await RpcPeer.start({
      "task.submit": () => ({ id: "t", status: "ready", created: true }),
      "task.result": () => noReply,
    });
    peers.push(peer);
    const end = await ktk(["run", "x", "--url", peer.url, ...impatient, "--wait", "500ms"]);
    expect(end).toMatchObject({ code: 1, stdout: "", stderr: silence(peer.url, 800) });
  });
});

describe.concurrent("a submit that may have been accepted", { timeout: 60_000 }, () => {
  const told = (key: string) =>
    new RegExp(`^error: .+\\nthe task may have been made: --key ${key} finds it, or makes it\\n$`);

  test("is told with the key that it has, the user's or a fresh one", async () => {
    const peer = await RpcPeer.start({
      "task.submit": () => {
        throw new PeerError(-32009, { code: "busy" });
      },
    });
    peers.push(peer);
    const own = await ktk(["run", "x", "--url", peer.url, "--key", "mine"]);
    expect(own).toMatchObject({ code: 1, stdout: "", stderr: expect.stringMatching(told("mine")) });
    const drawn = await ktk(["run", "x", "--url", peer.url]);
    const key = peer.of("task.submit").at(-1)?.params["idempotencyKey"];
    expect(drawn.stderr).toMatch(told(String(key)));
  });

  test("is told where the answer did not come, too, of a definition or a file", async () => {
    const url = await mute();
    const words = ["--key", "k", "--answer-timeout", "300ms"];
    const named = await ktk(["run", "x", "--url", url, ...words]);
    expect(named.stderr).toMatch(told("k"));
    const file = fileURLToPath(new URL("../../examples/06-stages.yaml", import.meta.url));
    const ofFile = await ktk(["run", "-f", file, "--url", url, ...words]);
    expect(ofFile.stderr).toMatch(told("k"));
  });
});

/** The URL of a gateway that opens sessions, and answers nothing else. */
function mute(): Promise<string> {
  return serve(
    () => {},
    (server) => {
      new WebSocketServer({ server }).on("connection", (socket) => {
        socket.once("message", (frame) => {
          const { id } = JSON.parse(String(frame));
          socket.send(JSON.stringify({ jsonrpc: "2.0", id, result: { session: "s" } }));
        });
      });
    },
  );
}

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
async function serve(
  listener: RequestListener,
  upgrade: (server: Server) => void = () => {},
): Promise<string> {
  const server = createServer(listener);
  upgrade(server);
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}/rpc`;
}
