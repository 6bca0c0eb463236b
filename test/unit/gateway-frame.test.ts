import { describe, expect, test } from "vitest";
import { isLoopbackHost } from "../../gateway/loopback.ts";
import { isDeeperThan } from "../../gateway/wire/frame.ts";
import { fits } from "../../gateway/wire/reply.ts";

describe("depth", () => {
  test.each([
    ["[]", 1, false],
    ["[[]]", 1, true],
    ['{"a":{"b":1}}', 2, false],
    ['{"a":{"b":[]}}', 2, true],
    ["[],[],[]", 1, false],
    ['"[[[["', 0, false],
    ['"\\"[[[["', 0, false],
    ['"\\\\"[', 0, true],
    ["]]]][[", 1, false],
    ['"[', 0, false],
    ['"\\', 0, false],
  ])("%s beyond %i: %s", (text, depthMax, expected) => {
    expect(isDeeperThan(depthMax, Buffer.from(text))).toBe(expected);
  });
});

describe("size in bytes", () => {
  test.each([
    ["x".repeat(9), 9, true],
    ["x".repeat(10), 9, false],
    ["é".repeat(4), 8, true],
    ["é".repeat(4), 7, false],
    ["🦀", 4, true],
    ["🦀", 3, false],
    ["€".repeat(3), 9, true],
    ["€".repeat(3), 8, false],
  ])("%s in %i: %s", (text, bytesMax, expected) => {
    expect(fits(text, bytesMax)).toBe(expected);
  });
});

describe("hosts that name this machine", () => {
  test.each([
    ["localhost", true],
    ["localhost:1", true],
    ["127.0.0.1", true],
    ["127.255.0.9:65535", true],
    ["[::1]:80", true],
    ["[::1]", true],
    [undefined, false],
    ["", false],
    [":80", false],
    ["0.0.0.0", false],
    ["128.0.0.1", false],
    ["1270.0.0.1", false],
    ["127.0.0.1@evil", false],
    ["localhost.", false],
    ["[::2]", false],
    ["localhost:port", false],
  ])("%s: %s", (host, expected) => {
    expect(isLoopbackHost(host)).toBe(expected);
  });
});
