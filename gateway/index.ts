export type { Bounds } from "./bounds.ts";
export type { Clock } from "./clock.ts";
export type { Entropy } from "./entropy.ts";
export type { Gateway, GatewayOptions } from "./gateway.ts";
export { createGateway } from "./gateway.ts";
export type { Log, LogFields } from "./log.ts";
