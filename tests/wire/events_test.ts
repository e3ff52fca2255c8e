import { assert, assertEquals, assertThrows } from "../assert.ts";
import { concatBytes, decodeUtf8, encodeUtf8, fromHex, toHex } from "../../lib/wire/bytes.ts";
import { encodeEvent, EventReader, MAX_EVENT_PAYLOAD, MAX_TOPIC } from "../../lib/wire/events.ts";
import { SeededRandom } from "../sim/random.ts";
import { fuzz, inPieces } from "./fuzz.ts";
import { vectors } from "./vectors.ts";

Deno.test("events: vectors both ways", () => {
  assertEquals(vectors.events.length, 3);
  for (const { bytes, payload, topic } of vectors.events) {
    const event = { topic: encodeUtf8(topic), payload: fromHex(payload) };
    assertEquals(toHex(encodeEvent(event)), bytes);
    const decoded = new EventReader().push(fromHex(bytes));
    assertEquals(decoded, [event]);
    assert(typeof decoded === "object" && decoded[0] !== undefined);
    assertEquals(decodeUtf8(decoded[0].topic), topic);
  }
});

Deno.test("events: published examples", () => {
  const event = (topic: string, payload: string) =>
    encodeEvent({ topic: encodeUtf8(topic), payload: encodeUtf8(payload) });
  assertEquals(event("news", ""), fromHex("0004 6E657773 00000000"));
  assertEquals(event("*", ""), fromHex("0001 2A 00000000"));
  assertEquals(event("news", "hello"), fromHex("0004 6E657773 00000005 68656C6C6F"));
});

Deno.test("events: limits", () => {
  const topic = new Uint8Array(MAX_TOPIC);
  const none = new Uint8Array(0);
  assertEquals(encodeEvent({ topic, payload: none }).length, MAX_TOPIC + 6);
  assertThrows(() => encodeEvent({ topic: new Uint8Array(MAX_TOPIC + 1), payload: none }), RangeError);
  assertThrows(
    () => encodeEvent({ topic, payload: new Uint8Array(MAX_EVENT_PAYLOAD + 1) }),
    RangeError,
  );
  assertEquals(new EventReader().push(fromHex("0401")), "too-long");
  assertEquals(new EventReader().push(fromHex("0400")), []);
  assertEquals(new EventReader().push(fromHex("0000 01000001")), "too-long");
  assertEquals(new EventReader().push(fromHex("0000 01000000")), []);
  const reader = new EventReader(4);
  assertEquals(reader.push(fromHex("0001 61 00000000 0000 00000005")), [{
    topic: fromHex("61"),
    payload: none,
  }]);
  assert(reader.failed);
  assertEquals(reader.push(none), "too-long");
  assertEquals(reader.pendingBytes, 0);
});

Deno.test("events: any fragmentation gives the same events", () => {
  for (let seed = 1; seed <= 40; seed++) {
    const random = new SeededRandom(seed);
    const events = Array.from({ length: random.int(20) }, () => ({
      topic: random.bytes(new Uint8Array(random.int(30))),
      payload: random.bytes(new Uint8Array(random.int(200))),
    }));
    const stream = concatBytes(...events.map(encodeEvent));
    const reader = new EventReader();
    assertEquals(inPieces(reader, { stream, random, largest: 1 + random.int(90) }), events, `seed ${seed}`);
    assertEquals(reader.pendingBytes, 0, `seed ${seed}`);
  }
});

Deno.test("events: maltreated input", () => {
  const decode = (data: Uint8Array) => {
    const reader = new EventReader(1000);
    const events = reader.push(data);
    if (events === "too-long") return events;
    if (!reader.failed) {
      const used = concatBytes(...events.map(encodeEvent));
      assertEquals(toHex(used), toHex(data.subarray(0, used.length)));
    }
    return events.length === 0 ? "short" : events;
  };
  fuzz(decode, { valid: vectors.events.map(({ bytes }) => fromHex(bytes)) });
});
