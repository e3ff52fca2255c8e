import { assert, assertEquals, assertThrows } from "../assert.ts";
import {
  acknowledgementText,
  type DataFrame,
  DataFrameReader,
  DataType,
  decodeFilePayload,
  encodeDataFrame,
  encodeFilePayload,
  frameTypeName,
  MAX_DATA_PAYLOAD,
} from "../../lib/wire/apps.ts";
import { concatBytes, encodeUtf8, fromHex, toHex } from "../../lib/wire/bytes.ts";
import { SeededRandom } from "../sim/random.ts";
import { fuzz, FUZZ_ROUNDS, inPieces } from "./fuzz.ts";
import { vectors } from "./vectors.ts";

Deno.test("data exchange: vectors both ways", () => {
  assertEquals(vectors.data_exchange.length, 5);
  for (const { bytes, filename, payload, type } of vectors.data_exchange) {
    const body = type === DataType.FILE
      ? encodeFilePayload({ name: filename, data: fromHex(payload) })
      : fromHex(payload);
    assertEquals(toHex(encodeDataFrame({ type, payload: body })), bytes);
    assertEquals(new DataFrameReader().push(fromHex(bytes)), [{ type, payload: body }]);
    if (type === DataType.FILE) {
      assertEquals(decodeFilePayload(body), { name: filename, data: fromHex(payload) });
    }
  }
});

Deno.test("data exchange: published examples", () => {
  const text: DataFrame = { type: DataType.TEXT, payload: encodeUtf8("hello") };
  assertEquals(encodeDataFrame(text), fromHex("00000001 00000005 68656C6C6F"));
  assertEquals(
    encodeDataFrame({ type: DataType.TEXT, payload: encodeUtf8(acknowledgementText(text)) }),
    fromHex("00000001 00000010 41434B20544558542035206279746573"),
  );
  const file: DataFrame = {
    type: DataType.FILE,
    payload: encodeFilePayload({ name: "a.txt", data: encodeUtf8("hi") }),
  };
  assertEquals(encodeDataFrame(file), fromHex("00000004 00000009 0005 612E747874 6869"));
  assertEquals(acknowledgementText(file), "ACK FILE 2 bytes");
  const bad: DataFrame = { type: DataType.FILE, payload: fromHex("FFFF 7879") };
  assertEquals(acknowledgementText(bad), "ACK FILE 4 bytes");
  assertEquals(decodeFilePayload(bad.payload), { name: "", data: bad.payload });
  assertEquals(new DataFrameReader().push(fromHex("00000001 01000001")), "too-long");
  assertEquals(new DataFrameReader().push(fromHex("00000001 01000000")), []);
});

Deno.test("data exchange: the task service uses the same frames", () => {
  const task = `{"task_id":"t1","task_description":"d","from_addr":"0:0000.0000.0001","to_addr":"x"}`;
  const bytes = encodeDataFrame({ type: DataType.TEXT, payload: encodeUtf8(task) });
  assertEquals(toHex(bytes.subarray(0, 8)), "0000000100000054");
});

Deno.test("data exchange: names and acknowledgements", () => {
  assertEquals([1, 2, 3, 4, 0, 5, 9].map(frameTypeName), [
    "TEXT",
    "BINARY",
    "JSON",
    "FILE",
    "UNKNOWN(0)",
    "UNKNOWN(5)",
    "UNKNOWN(9)",
  ]);
  assertEquals(acknowledgementText({ type: 99, payload: new Uint8Array(2) }), "ACK UNKNOWN(99) 2 bytes");
  assertEquals(
    acknowledgementText({ type: DataType.FILE, payload: new Uint8Array(2) }, "disk full"),
    "ERR FILE save failed: disk full",
  );
});

Deno.test("data exchange: file payloads", () => {
  for (const hex of ["", "00", "0001", "ffff", "0002 61"]) {
    assertEquals(decodeFilePayload(fromHex(hex)), { name: "", data: fromHex(hex) }, hex);
  }
  assertEquals(decodeFilePayload(fromHex("0001 61")), { name: "a", data: new Uint8Array(0) });
  assertEquals(decodeFilePayload(fromHex("0001 ff 01")), { name: "\ufffd", data: fromHex("01") });
  assertThrows(() => encodeFilePayload({ name: "x".repeat(65536), data: new Uint8Array(0) }), RangeError);
});

Deno.test("data exchange: what does not fit is misuse", () => {
  assertThrows(() => encodeDataFrame({ type: 2 ** 32, payload: new Uint8Array(0) }), RangeError);
  assertThrows(
    () => encodeDataFrame({ type: 1, payload: new Uint8Array(MAX_DATA_PAYLOAD + 1) }),
    RangeError,
  );
});

Deno.test("data exchange: any fragmentation gives the same frames", () => {
  for (let seed = 1; seed <= 40; seed++) {
    const random = new SeededRandom(seed);
    const frames = Array.from({ length: random.int(20) }, () => ({
      type: random.chance(0.5) ? 1 + random.int(4) : random.uint32(),
      payload: random.bytes(new Uint8Array(random.int(100))),
    }));
    const stream = concatBytes(...frames.map(encodeDataFrame));
    const reader = new DataFrameReader();
    assertEquals(inPieces(reader, { stream, random, largest: 1 + random.int(90) }), frames, `seed ${seed}`);
    assertEquals(reader.pendingBytes, 0, `seed ${seed}`);
  }
});

Deno.test("data exchange: frames before a too long one are still delivered", () => {
  const reader = new DataFrameReader(4);
  assertEquals(reader.push(fromHex("00000001 00000001 aa 00000001 00000005")), [{
    type: 1,
    payload: fromHex("aa"),
  }]);
  assert(reader.failed);
  assertEquals(reader.push(new Uint8Array(0)), "too-long");
});

Deno.test("data exchange: a cut stream gives no frame", () => {
  for (const { bytes } of vectors.data_exchange) {
    const whole = fromHex(bytes);
    for (let length = 0; length < whole.length; length++) {
      const reader = new DataFrameReader();
      assertEquals(reader.push(whole.subarray(0, length)), []);
      assertEquals(reader.pendingBytes, length);
    }
  }
});

Deno.test("data exchange: maltreated input", () => {
  const decode = (data: Uint8Array) => {
    const frames = new DataFrameReader(1000).push(data);
    if (frames === "too-long") return frames;
    for (const frame of frames) acknowledgementText(frame);
    return frames.length === 0 ? "short" : frames;
  };
  fuzz(decode, { valid: vectors.data_exchange.map(({ bytes }) => fromHex(bytes)), rounds: FUZZ_ROUNDS });
});
