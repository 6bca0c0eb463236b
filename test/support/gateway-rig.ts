import { createGateway, type Gateway, type GatewayOptions } from "../../gateway/index.ts";
import type { LogFields } from "../../gateway/log.ts";
import { FakeService } from "./fake-service.ts";
import { HandClock } from "./hand-clock.ts";
import { RpcSocket } from "./rpc-socket.ts";

interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly fields: LogFields;
}

/** A gateway on a free port before a fake service, with a clock that only the test turns. */
export class GatewayRig implements AsyncDisposable {
  readonly gateway: Gateway;
  readonly fake: FakeService;
  readonly clock: HandClock;
  readonly log: readonly LogLine[];
  readonly #peers: RpcSocket[] = [];

  private constructor(
    gateway: Gateway,
    { fake, clock, log }: { fake: FakeService; clock: HandClock; log: readonly LogLine[] },
  ) {
    this.gateway = gateway;
    this.fake = fake;
    this.clock = clock;
    this.log = log;
  }

  static async start(
    options: Partial<GatewayOptions> = {},
    fake = new FakeService(),
  ): Promise<GatewayRig> {
    const clock = new HandClock();
    const lines: LogLine[] = [];
    const gateway = await createGateway({
      service: () => fake.service,
      host: "127.0.0.1",
      port: 0,
      clock,
      log: {
        info: (message, fields) => lines.push({ level: "info", message, fields }),
        warn: (message, fields) => lines.push({ level: "warn", message, fields }),
        error: (message, fields) => lines.push({ level: "error", message, fields }),
      },
      ...options,
    });
    return new GatewayRig(gateway, { fake, clock, log: lines });
  }

  get url(): string {
    return this.gateway.address.url;
  }

  get httpUrl(): string {
    return `http://127.0.0.1:${this.gateway.address.port}`;
  }

  async connect(): Promise<RpcSocket> {
    const peer = await RpcSocket.open(this.url);
    this.#peers.push(peer);
    return peer;
  }

  async post(body: string, headers: Record<string, string> = {}): Promise<Response> {
    return fetch(`${this.httpUrl}/rpc`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const peer of this.#peers) await peer.close();
    await this.gateway.close();
  }
}
