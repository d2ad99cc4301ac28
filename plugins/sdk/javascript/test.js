// `npm test`: the stand-in does what its description says. That it does what the host does is tested with the host
// (tests/it/javascript/differential.rs).
import assert from "node:assert/strict";
import { test } from "node:test";
import { Event, reject, retry, run, send } from "./index.js";

const came = (transform, content) => run({ transform }, new Event(content));

test("values are plain, and integers exact", () => {
  const event = new Event('{"big":9007199254740993,"z":-0,"o":{"a":[1,9007199254740993]},"n":null}');
  assert.equal(event.get("big"), 9007199254740993n);
  assert.ok(Object.is(event.get("z"), -0));
  assert.deepEqual(event.get("o"), { a: [1, 9007199254740993n] });
  assert.equal(event.get("n"), null);
  assert.equal(event.get("nobody"), undefined);
});

test("paths, patterns and quotes", () => {
  const event = new Event({ items: [{ sku: 1 }, { sku: 2 }], "a.b": { "c]": 1 } });
  assert.deepEqual(event.expand("items[*].sku"), ["items[0].sku", "items[1].sku"]);
  assert.deepEqual(event.expand("items.sku"), ["items[0].sku", "items[1].sku"]);
  assert.equal(event.get('"a.b"."c]"'), 1);
  assert.deepEqual(event.keys('"a.b"'), ['"c]"']);
  assert.throws(() => event.get("a..b"), /malformed path `a\.\.b`: a part of the path is empty/);
  assert.throws(() => event.get("items[*]"), /a star stands for many fields/);
  assert.equal(event.remove("items[*].sku"), 2);
});

test("answers", async () => {
  assert.equal((await came(() => {}, { a: 1 })).outputs[0].text, '{"a":1}');
  assert.deepEqual((await came(() => [], {})).outputs, []);
  assert.equal((await came((event) => send(event, "audit"), {})).outputs[0].route, "audit");
  assert.deepEqual(await came(() => { throw reject("no"); }, {}), { reject: "no" });
  assert.deepEqual(await came(async () => { throw retry("later"); }, {}), { retry: "later" });
  assert.deepEqual(await came((event) => event.set("a.b", 1), { a: 1 }), { reject: "the path leads through a value that holds no fields" });
  assert.match((await came(() => null, {})).error, /^`transform` returned null: expected is nothing/);
  assert.match((await came((event) => [event, event], {})).error, /returned twice/);
  assert.deepEqual(await came((event) => event.set("a", [NaN]), {}), { error: "TypeError: `a[0]`: NaN is no JSON number" });
});

test("an event lives as long as its call", async () => {
  let kept;
  await came((event) => void (kept = event), {});
  assert.throws(() => kept.get("a"), /this event's call is over/);
});
