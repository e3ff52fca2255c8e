import {
  decodeExchangeOptions,
  encodeExchangeOptions,
  NO_EXCHANGE_OPTIONS,
} from "../../lib/wire/exchange_options.ts";
import { concatBytes, fromHex, toHex } from "../../lib/wire/bytes.ts";
import { assertEquals, assertThrows } from "../assert.ts";
import { SeededRandom } from "../sim/random.ts";

const transport = { segmentSize: 16_384, outOfOrder: 32_768, windowSegments: 65_536, windowShift: 2 };
const GOLDEN = "01000b" + "4000" + "00008000" + "00010000" + "02" + "020000";

Deno.test("exchange options: golden bytes both ways", () => {
  const options = { transport, noChecksum: true, candidates: false };
  assertEquals(toHex(encodeExchangeOptions(options)), GOLDEN);
  assertEquals(decodeExchangeOptions(fromHex(GOLDEN)), options);
  assertEquals(encodeExchangeOptions(NO_EXCHANGE_OPTIONS).length, 0);
  assertEquals(decodeExchangeOptions(new Uint8Array(0)), NO_EXCHANGE_OPTIONS);
  const onlyChecksum = { transport: undefined, noChecksum: true, candidates: false };
  assertEquals(decodeExchangeOptions(encodeExchangeOptions(onlyChecksum)), onlyChecksum);
});

Deno.test("exchange options: unknown types are skipped, before and after, and surplus bytes of known ones", () => {
  const unknown = fromHex("63 0004 01020304");
  const longer = fromHex("01000d 4000 00008000 00010000 02 ffff");
  const bytes = concatBytes(unknown, longer, unknown, fromHex("020001 aa"), fromHex("ff0000"));
  assertEquals(decodeExchangeOptions(bytes), { transport, noChecksum: true, candidates: false });
});

Deno.test("exchange options: cut off at any length gives what was whole", () => {
  const bytes = fromHex(GOLDEN);
  for (let length = 0; length < bytes.length; length++) {
    const options = decodeExchangeOptions(bytes.subarray(0, length));
    assertEquals(
      options,
      { transport: length >= 14 ? transport : undefined, noChecksum: false, candidates: false },
      `${length}`,
    );
  }
});

Deno.test("exchange options: what makes no sense counts as not said", () => {
  for (
    const text of [
      "01000b 0000 00008000 00010000 02",
      "01000b 4000 00000000 00010000 02",
      "01000b 4000 00008000 00000000 02",
      "01000b 4000 00008000 00010000 0f",
      "01000a 4000 00008000 00010000",
    ]
  ) assertEquals(decodeExchangeOptions(fromHex(text)), NO_EXCHANGE_OPTIONS, text);
});

Deno.test("exchange options: any bytes give something, and are not written to", () => {
  const random = new SeededRandom(5);
  for (let round = 0; round < 5_000; round++) {
    const bytes = random.bytes(new Uint8Array(random.int(60)));
    if (bytes.length > 2 && random.chance(0.7)) {
      bytes[0] = 1 + random.int(2);
      bytes[1] = 0;
      bytes[2] = random.int(16);
    }
    const before = bytes.slice();
    const { transport: read } = decodeExchangeOptions(bytes);
    assertEquals(bytes, before);
    if (read !== undefined) encodeExchangeOptions({ transport: read, noChecksum: false, candidates: false });
  }
});

Deno.test("exchange options: a field that does not fit is misuse", () => {
  for (
    const change of [{ segmentSize: 65_536 }, { outOfOrder: -1 }, { windowSegments: 0.5 }, {
      windowShift: 15,
    }]
  ) {
    assertThrows(
      () =>
        encodeExchangeOptions({
          transport: { ...transport, ...change },
          noChecksum: false,
          candidates: false,
        }),
      RangeError,
    );
  }
});
