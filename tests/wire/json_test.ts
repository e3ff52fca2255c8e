import { assert, assertEquals, assertThrows } from "../assert.ts";
import { encodeUtf8, fromHex } from "../../lib/wire/bytes.ts";
import { decodeJson, encodeJson, Members, optional, parseJson } from "../../lib/wire/json.ts";
import { fuzz } from "./fuzz.ts";

Deno.test("json: bytes both ways", () => {
  assertEquals(encodeJson({ a: [1, "é", null, true] }), encodeUtf8('{"a":[1,"é",null,true]}'));
  assertEquals(decodeJson(encodeUtf8(' {"a":1}\n')), { a: 1 });
  assertEquals(decodeJson(encodeUtf8("null")), null);
  assertThrows(() => encodeJson(undefined), TypeError);
  assertThrows(() => encodeJson({ big: 1n }), TypeError);
});

Deno.test("json: anything else is undefined", () => {
  for (const text of ["", "{", "{a:1}", "[1,]", "NaN", "'a'", '{"a":1} x', "\ufeff{}"]) {
    assertEquals(decodeJson(encodeUtf8(text)), undefined, text);
  }
  assertEquals(parseJson('"\ud800"'), "\ud800");
  assertEquals(decodeJson(fromHex("22 ff 22")), "\ufffd");
});

Deno.test("json: deep nesting does not throw", () => {
  decodeJson(encodeUtf8("[".repeat(500_000)));
  decodeJson(encodeUtf8('{"a":'.repeat(200_000)));
  decodeJson(encodeUtf8("[".repeat(200_000) + "]".repeat(200_000)));
});

Deno.test("json: members by type", () => {
  const members = Members.of({
    text: "x",
    yes: true,
    number: 1.5,
    list: ["a", 1, null, { b: 2 }],
    object: { c: 3 },
    null: null,
  });
  assert(members !== undefined);
  assertEquals(members.string("text"), "x");
  assertEquals(members.string("number"), undefined);
  assertEquals(members.boolean("yes"), true);
  assertEquals(members.boolean("text"), undefined);
  assertEquals(members.number("number"), 1.5);
  assertEquals(members.number("missing"), undefined);
  assertEquals(members.uint("number", 10), undefined);
  assertEquals(members.strings("list"), ["a"]);
  assertEquals(members.strings("text"), undefined);
  assertEquals(members.list("list")?.length, 4);
  assertEquals(members.objects("list")?.map((item) => item.number("b")), [2]);
  assertEquals(members.object("object")?.number("c"), 3);
  assertEquals(members.object("list"), undefined);
  assertEquals(members.get("null"), null);
});

Deno.test("json: whole numbers in a range", () => {
  const uint = (value: unknown) => Members.of({ value })?.uint("value", 65535);
  for (const good of [0, 1, 65535, -0]) assertEquals(uint(good), good);
  for (const wrong of [-1, 65536, 0.5, NaN, Infinity, "1", null, true]) assertEquals(uint(wrong), undefined);
});

Deno.test("json: only objects have members, only own ones count", () => {
  for (const value of [null, undefined, 1, "x", true, [], [{}]]) assertEquals(Members.of(value), undefined);
  const members = Members.of(parseJson('{"__proto__":{"polluted":"yes"},"constructor":"mine"}'));
  assert(members !== undefined);
  assertEquals(members.get("toString"), undefined);
  assertEquals(members.string("constructor"), "mine");
  assertEquals(members.string("polluted"), undefined);
  assertEquals(members.object("__proto__")?.string("polluted"), "yes");
});

Deno.test("json: optional members", () => {
  const value: number | undefined = undefined;
  assertEquals({ ...optional("a", 1), ...optional("b", value), ...optional("c", false) }, { a: 1, c: false });
});

Deno.test("json: maltreated input", () => {
  const documents = ['{"a":[1,2,{"b":"c"}],"d":null}', '[true,"\\u00e9",1e5]'];
  fuzz(decodeJson, { valid: documents.map(encodeUtf8), refused: (result) => result === undefined });
});
