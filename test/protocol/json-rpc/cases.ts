import { secret } from "./fixture.ts";

/** [name, frame, expected]: a reply, several in the order of an array, or null for silence. */
export type Case = readonly [string, string, Expected];
type Expected = Outcome | readonly Outcome[] | null;
export type Outcome =
  | { readonly id: unknown; readonly result: unknown }
  | { readonly id: unknown; readonly error: number; readonly message?: string };

const parse = { id: null, error: -32700, message: "Parse error" };
const invalid = (id: unknown) => ({ id, error: -32600, message: "Invalid Request" });
const unknown = (id: unknown) => ({ id, error: -32601, message: "Method not found" });
const internal = (id: unknown) => ({ id, error: -32603, message: "Internal error" });
const ok = (id: unknown, result: unknown) => ({ id, result });

const call = (rest: string) => `{"jsonrpc":"2.0",${rest}}`;
const nest = (depth: number) => "[".repeat(depth) + "]".repeat(depth);

export const specification: readonly Case[] = [
  [
    "positional",
    '{"jsonrpc": "2.0", "method": "subtract", "params": [42, 23], "id": 1}',
    ok(1, 19),
  ],
  [
    "positional, turned",
    '{"jsonrpc": "2.0", "method": "subtract", "params": [23, 42], "id": 2}',
    ok(2, -19),
  ],
  [
    "named",
    '{"jsonrpc": "2.0", "method": "subtract", "params": {"subtrahend": 23, "minuend": 42}, "id": 3}',
    ok(3, 19),
  ],
  [
    "named, turned",
    '{"jsonrpc": "2.0", "method": "subtract", "params": {"minuend": 42, "subtrahend": 23}, "id": 4}',
    ok(4, 19),
  ],
  ["a notification", '{"jsonrpc": "2.0", "method": "update", "params": [1,2,3,4,5]}', null],
  ["a notification of an unknown method", '{"jsonrpc": "2.0", "method": "foobar"}', null],
  ["an unknown method", '{"jsonrpc": "2.0", "method": "foobar", "id": "1"}', unknown("1")],
  ["invalid JSON", '{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]', parse],
  ["an invalid request", '{"jsonrpc": "2.0", "method": 1, "params": "bar"}', invalid(null)],
  [
    "a batch of invalid JSON",
    '[{"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"},{"jsonrpc": "2.0", "method"]',
    parse,
  ],
  ["an empty batch", "[]", invalid(null)],
  ["a batch of one that is not a message", "[1]", [invalid(null)]],
  [
    "a batch of three that are not messages",
    "[1,2,3]",
    [invalid(null), invalid(null), invalid(null)],
  ],
  [
    "a mixed batch",
    `[{"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"},
      {"jsonrpc": "2.0", "method": "notify_hello", "params": [7]},
      {"jsonrpc": "2.0", "method": "subtract", "params": [42,23], "id": "2"},
      {"foo": "boo"},
      {"jsonrpc": "2.0", "method": "foo.get", "params": {"name": "myself"}, "id": "5"},
      {"jsonrpc": "2.0", "method": "get_data", "id": "9"}]`,
    [ok("1", 7), ok("2", 19), invalid(null), unknown("5"), ok("9", ["hello", 5])],
  ],
  [
    "a batch of notifications",
    '[{"jsonrpc": "2.0", "method": "notify_sum", "params": [1,2,4]},{"jsonrpc": "2.0", "method": "notify_hello", "params": [7]}]',
    null,
  ],
];

export const texts: readonly Case[] = [
  ["an empty frame", "", parse],
  ["white space", " \n\t ", parse],
  ["white space around a message", ` \r\n\t${call('"method":"zero","id":1')}\n `, ok(1, 0)],
  ["a byte order mark", `\ufeff${call('"method":"zero","id":1')}`, parse],
  ["two messages", `${call('"method":"zero","id":1')}${call('"method":"zero","id":2')}`, parse],
  [
    "two messages on two lines",
    `${call('"method":"zero","id":1')}\n${call('"method":"zero","id":2')}`,
    parse,
  ],
  ["a message cut short", '{"jsonrpc":"2.0","method":"zero","id":1', parse],
  ["a trailing comma", '{"jsonrpc":"2.0","method":"zero","id":1,}', parse],
  ["a trailing comma in a batch", `[${call('"method":"zero","id":1')},]`, parse],
  ["a comment", `/* hi */${call('"method":"zero","id":1')}`, parse],
  ["single quotes", "{'jsonrpc':'2.0','method':'zero','id':1}", parse],
  ["bare words", "{jsonrpc:2}", parse],
  ["NaN", call('"method":"zero","id":NaN'), parse],
  ["Infinity", call('"method":"zero","id":Infinity'), parse],
  ["a hexadecimal number", call('"method":"zero","id":0x10'), parse],
  ["a leading zero", call('"method":"zero","id":01'), parse],
  ["a leading plus", call('"method":"zero","id":+1'), parse],
  ["a raw control character in a string", call('"method":"ze\u0001ro","id":1'), parse],
  ["a raw line break in a string", call('"method":"ze\nro","id":1'), parse],
  ["a NUL after the message", `${call('"method":"zero","id":1')}\u0000`, parse],
  ["a bad escape", call('"method":"\\x41","id":1'), parse],
  ["half an escape", call('"method":"\\u00","id":1'), parse],
  ["a number", "1", invalid(null)],
  ["zero", "0", invalid(null)],
  ["a string", '"hello"', invalid(null)],
  ["an empty string", '""', invalid(null)],
  ["null", "null", invalid(null)],
  ["true", "true", invalid(null)],
  ["false", "false", invalid(null)],
  ["an empty object", "{}", invalid(null)],
  ["escaped member names", '{"\\u006asonrpc":"2.0","\\u006dethod":"zero","id":1}', ok(1, 0)],
  [
    "brackets in a string",
    call(`"method":"echo","params":["${"[{".repeat(200)}"],"id":1`),
    ok(1, ["[{".repeat(200)]),
  ],
  [
    "an escaped quote before brackets",
    call(`"method":"echo","params":["\\"${"[".repeat(99)}"],"id":1`),
    ok(1, [`"${"[".repeat(99)}`]),
  ],
  ["72 levels", call(`"method":"echo","params":${nest(71)},"id":1`), ok(1, JSON.parse(nest(71)))],
  ["73 levels", call(`"method":"echo","params":${nest(72)},"id":1`), invalid(null)],
  ["73 levels of objects", `${'{"a":'.repeat(73)}1${"}".repeat(73)}`, invalid(null)],
  ["500,000 levels, never closed", "[".repeat(500_000), invalid(null)],
  [
    "many siblings are not deep",
    call(`"method":"echo","params":[${Array(300).fill("[]").join(",")}],"id":1`),
    ok(1, Array(300).fill([])),
  ],
];

export const versions: readonly Case[] = [
  ["no version", '{"method":"zero","id":1}', invalid(1)],
  ["version 1.0", '{"jsonrpc":"1.0","method":"zero","id":1}', invalid(1)],
  ["version 2 as a number", '{"jsonrpc":2.0,"method":"zero","id":1}', invalid(1)],
  ["version 2", '{"jsonrpc":"2","method":"zero","id":1}', invalid(1)],
  ["version with a space", '{"jsonrpc":"2.0 ","method":"zero","id":1}', invalid(1)],
  ["version null", '{"jsonrpc":null,"method":"zero","id":1}', invalid(1)],
  ["version in a list", '{"jsonrpc":["2.0"],"method":"zero","id":1}', invalid(1)],
  ["a member of another case", '{"JSONRPC":"2.0","method":"zero","id":1}', invalid(1)],
  [
    "no version, no id: answered, because it is no notification",
    '{"method":"zero"}',
    invalid(null),
  ],
  [
    "version twice, the last wins",
    '{"jsonrpc":"1.0","jsonrpc":"2.0","method":"zero","id":1}',
    ok(1, 0),
  ],
  [
    "version twice, the last is wrong",
    '{"jsonrpc":"2.0","jsonrpc":"1.0","method":"zero","id":1}',
    invalid(1),
  ],
];

export const ids: readonly Case[] = [
  ["zero", call('"method":"zero","id":0'), ok(0, 0)],
  ["negative", call('"method":"zero","id":-7'), ok(-7, 0)],
  ["fractional", call('"method":"zero","id":1.5'), ok(1.5, 0)],
  [
    "the largest safe integer",
    call('"method":"zero","id":9007199254740991'),
    ok(9007199254740991, 0),
  ],
  ["the first unsafe integer", call('"method":"zero","id":9007199254740992'), invalid(null)],
  [
    "one that would be echoed as another",
    call('"method":"zero","id":9007199254740993'),
    invalid(null),
  ],
  ["beyond what a number holds", call('"method":"zero","id":1e400'), invalid(null)],
  ["1e3", call('"method":"zero","id":1e3'), ok(1000, 0)],
  ["an empty string", call('"method":"zero","id":""'), ok("", 0)],
  ["a string of digits stays a string", call('"method":"zero","id":"1"'), ok("1", 0)],
  ["256 characters", call(`"method":"zero","id":"${"x".repeat(256)}"`), ok("x".repeat(256), 0)],
  ["257 characters", call(`"method":"zero","id":"${"x".repeat(257)}"`), invalid(null)],
  ["unicode", call('"method":"zero","id":"日本 🦀"'), ok("日本 🦀", 0)],
  ["escapes", call('"method":"zero","id":"a\\"b\\\\c\\u0000"'), ok('a"b\\c\u0000', 0)],
  ["half a character", call('"method":"zero","id":"\\ud800"'), invalid(null)],
  ["null is a call", call('"method":"zero","id":null'), ok(null, 0)],
  ["null of an unknown method", call('"method":"nope","id":null'), unknown(null)],
  ["true", call('"method":"zero","id":true'), invalid(null)],
  ["an object", call('"method":"zero","id":{}'), invalid(null)],
  ["a list", call('"method":"zero","id":[1]'), invalid(null)],
  ["twice, the last wins", call('"method":"zero","id":1,"id":2'), ok(2, 0)],
  ["of another case is no id", call('"method":"zero","ID":1'), null],
  [
    "the same twice in a batch",
    `[${call('"method":"zero","id":1')},${call('"method":"empty","id":1')}]`,
    [ok(1, 0), ok(1, "")],
  ],
  ["named like a prototype's member", call('"method":"zero","id":"__proto__"'), ok("__proto__", 0)],
];

export const methods: readonly Case[] = [
  ["missing", call('"id":1'), invalid(1)],
  ["missing, with params", call('"params":[],"id":1'), invalid(1)],
  ["missing, without id", call('"params":[]'), invalid(null)],
  ["null", call('"method":null,"id":1'), invalid(1)],
  ["a number", call('"method":1,"id":1'), invalid(1)],
  ["a list", call('"method":["zero"],"id":1'), invalid(1)],
  ["an object", call('"method":{},"id":1'), invalid(1)],
  ["an empty string", call('"method":"","id":1'), unknown(1)],
  ["of another case", call('"method":"ZERO","id":1'), unknown(1)],
  ["with white space", call('"method":" zero","id":1'), unknown(1)],
  ["__proto__", call('"method":"__proto__","id":1'), unknown(1)],
  ["constructor", call('"method":"constructor","id":1'), unknown(1)],
  ["toString", call('"method":"toString","id":1'), unknown(1)],
  ["hasOwnProperty", call('"method":"hasOwnProperty","id":1'), unknown(1)],
  ["100,000 characters", call(`"method":"${"m".repeat(100_000)}","id":1`), unknown(1)],
  ["reserved and known", call('"method":"rpc.mine","id":1'), ok(1, "mine")],
  ["reserved and unknown", call('"method":"rpc.yours","id":1'), unknown(1)],
  [
    "unknown, with params that are bad too",
    call('"method":"nope","params":[{}],"id":1'),
    unknown(1),
  ],
  ["half a character", call('"method":"\\ud800","id":1'), unknown(1)],
  ["twice, the last wins", call('"method":"nope","method":"zero","id":1'), ok(1, 0)],
];

export const params: readonly Case[] = [
  ["absent", call('"method":"void","id":1'), ok(1, null)],
  ["null", call('"method":"zero","params":null,"id":1'), invalid(1)],
  ["a string", call('"method":"zero","params":"x","id":1'), invalid(1)],
  ["a number", call('"method":"zero","params":7,"id":1'), invalid(1)],
  ["false", call('"method":"zero","params":false,"id":1'), invalid(1)],
  ["null, without id", call('"method":"zero","params":null'), invalid(null)],
  ["an empty list", call('"method":"echo","params":[],"id":1'), ok(1, [])],
  ["an empty object", call('"method":"echo","params":{},"id":1'), ok(1, {})],
  [
    "refused by the method",
    call('"method":"sum","params":["a"],"id":1'),
    { id: 1, error: -32602, message: "Invalid params" },
  ],
  ["refused by the method, unasked", call('"method":"sum","params":["a"]'), null],
  [
    "__proto__ stays a member",
    call('"method":"echo","params":{"__proto__":{"x":1}},"id":1'),
    ok(1, JSON.parse('{"__proto__":{"x":1}}')),
  ],
  [
    "constructor stays a member",
    call('"method":"echo","params":{"constructor":{"prototype":{"x":1}}},"id":1'),
    ok(1, { constructor: { prototype: { x: 1 } } }),
  ],
  ["twice, the last wins", call('"method":"echo","params":[1],"params":[2],"id":1'), ok(1, [2])],
  [
    "members beside the known are ignored",
    call('"method":"zero","id":1,"trace":{"a":1}'),
    ok(1, 0),
  ],
  [
    "unicode comes back",
    call('"method":"echo","params":["é 日本 🦀 \\u2028"],"id":1'),
    ok(1, ["é 日本 🦀 \u2028"]),
  ],
];

export const outcomes: readonly Case[] = [
  ["undefined is null", call('"method":"void","id":1'), ok(1, null)],
  ["null", call('"method":"null","id":1'), ok(1, null)],
  ["false", call('"method":"false","id":1'), ok(1, false)],
  ["zero", call('"method":"zero","id":1'), ok(1, 0)],
  ["an empty string", call('"method":"empty","id":1'), ok(1, "")],
  ["a promise", call('"method":"later","params":[1],"id":1'), ok(1, [1])],
  ["NaN is null, as JSON has it", call('"method":"nan","id":1'), ok(1, null)],
  ["a big integer", call('"method":"bigint","id":1'), internal(1)],
  ["a function", call('"method":"function","id":1'), internal(1)],
  ["a ring", call('"method":"circular","id":1'), internal(1)],
  ["an exception", call('"method":"boom","id":1'), internal(1)],
  ["a rejection", call('"method":"boomLater","id":1'), internal(1)],
  ["a thrown string", call('"method":"throwString","id":1'), internal(1)],
  ["a thrown null", call('"method":"throwNull","id":1'), internal(1)],
  ["a thrown undefined", call('"method":"throwUndefined","id":1'), internal(1)],
  ["an exception with a code of its own", call('"method":"throwCodeful","id":1'), internal(1)],
  [
    "an error of kantoku's",
    call('"method":"conflict","id":1'),
    { id: 1, error: -32004, message: "taken" },
  ],
  ["an exception, unasked", call('"method":"boom"'), null],
  ["a rejection, unasked", call('"method":"boomLater"'), null],
  ["an error of kantoku's, unasked", call('"method":"conflict"'), null],
  ["a ring, unasked", call('"method":"circular"'), null],
  ["an exception under the id null", call('"method":"boom","id":null'), internal(null)],
];

export const responses: readonly Case[] = [
  ["a result", call('"result":1,"id":1'), null],
  ["a result of null", call('"result":null,"id":1'), null],
  ["an error", call('"error":{"code":1,"message":"x"},"id":1'), null],
  ["a result without version", '{"result":1,"id":1}', null],
  ["a result with an id that is none", call('"result":1,"id":{}'), null],
  ["result and error", call('"result":1,"error":{},"id":1'), null],
  ["a result beside a method is a request", call('"method":"zero","result":1,"id":1'), ok(1, 0)],
  ["an error beside a method is a request", call('"method":"zero","error":{},"id":1'), ok(1, 0)],
  [
    "in a batch with a call",
    `[${call('"result":1,"id":1')},${call('"method":"zero","id":2')}]`,
    [ok(2, 0)],
  ],
  ["a batch of nothing else", `[${call('"result":1,"id":1')},${call('"error":{},"id":2')}]`, null],
];

const zeros = (count: number) =>
  Array.from({ length: count }, (_, id) => call(`"method":"zero","id":${id}`));

export const batches: readonly Case[] = [
  ["one call is answered by an array of one", `[${call('"method":"zero","id":1')}]`, [ok(1, 0)]],
  ["one notification", `[${call('"method":"zero"')}]`, null],
  ["a batch in a batch", `[[${call('"method":"zero","id":1')}]]`, [invalid(null)]],
  ["an empty batch in a batch", "[[]]", [invalid(null)]],
  ["null", "[null]", [invalid(null)]],
  [
    "a call between bad ones",
    `[1,${call('"method":"zero","id":1')},"x"]`,
    [invalid(null), ok(1, 0), invalid(null)],
  ],
  [
    "the order of the calls is kept",
    `[${call('"method":"later","params":[1],"id":"a"')},${call('"method":"zero","id":"b"')}]`,
    [ok("a", [1]), ok("b", 0)],
  ],
  [
    "an exception leaves the others alone",
    `[${call('"method":"boom","id":1')},${call('"method":"zero","id":2')}]`,
    [internal(1), ok(2, 0)],
  ],
  [
    "a ring leaves the others alone",
    `[${call('"method":"circular","id":1')},${call('"method":"zero","id":2')}]`,
    [internal(1), ok(2, 0)],
  ],
  ["100 messages", `[${zeros(100).join(",")}]`, zeros(100).map((_, id) => ok(id, 0))],
  [
    "101 messages",
    `[${zeros(101).join(",")}]`,
    { id: null, error: -32010, message: "Batch too large" },
  ],
  ["101 that are no messages", `[${Array(101).fill(1).join(",")}]`, { id: null, error: -32010 }],
];

/** What no answer may ever show. */
export const neverShown = [secret, "node:", ".ts:", "\\n    at "];
