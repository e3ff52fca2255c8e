import { assert, assertEquals, assertThrows } from "../assert.ts";
import {
  addressBytes,
  BROADCAST_NODE,
  formatAddress,
  formatSocketAddress,
  parseAddress,
  parseSocketAddress,
  readAddress,
  sameAddress,
} from "../../lib/wire/address.ts";
import { fromHex, toHex } from "../../lib/wire/bytes.ts";
import { viewOf } from "../../lib/wire/uint.ts";
import { SeededRandom } from "../sim/random.ts";
import { vectors } from "./vectors.ts";

Deno.test("address: vectors, text and bytes", () => {
  assertEquals(vectors.addresses.length, 10);
  for (const { hex, network, node, text } of vectors.addresses) {
    const address = { network, node };
    assertEquals(formatAddress(address), text);
    assertEquals(parseAddress(text), address);
    assertEquals(toHex(addressBytes(address)), hex);
    assertEquals(readAddress(viewOf(fromHex(hex)), 0), address);
  }
});

Deno.test("address: vectors, parsing", () => {
  assertEquals(vectors.address_parsing.length, 17);
  for (const vector of vectors.address_parsing) {
    const expected = vector.ok ? { network: vector.network ?? -1, node: vector.node ?? -1 } : undefined;
    assertEquals(parseAddress(vector.text), expected, vector.text);
  }
});

Deno.test("address: examples", () => {
  assertEquals(formatAddress({ network: 0, node: 42 }), "0:0000.0000.002A");
  assertEquals(formatAddress({ network: 1, node: 0xf2910004 }), "1:0001.F291.0004");
  assertEquals(formatAddress({ network: 5, node: BROADCAST_NODE }), "5:0005.FFFF.FFFF");
  assertEquals(parseAddress("00023:0017.0000.0001"), { network: 23, node: 1 });
  const wrong = [
    "0:0000",
    "0:0000.0000.0000.0000",
    "0:000.0000.0000",
    "99999:0000.0000.0000",
    "0:ZZZZ.0000.0000",
    "1:0000.0000.0001",
    "1:00A3.F291.0004",
    "+0:0000.0000.0001",
    "0:0x00.0000.0001",
    "0x0:0000.0000.0001",
    "1_0:000A.0000.0001",
    "٠:0000.0000.0001",
    ":0000.0000.0001",
    "0:0000.0000.0001\n",
    "1e0:0001.0000.0001",
  ];
  for (const text of wrong) assertEquals(parseAddress(text), undefined, text);
});

Deno.test("address: random ones survive both forms", () => {
  const random = new SeededRandom(21);
  for (let round = 0; round < 5000; round++) {
    const address = { network: random.int(65536), node: random.uint32() };
    assertEquals(parseAddress(formatAddress(address)), address, `seed 21 round ${round}`);
    assertEquals(parseAddress(formatAddress(address).toLowerCase()), address, `seed 21 round ${round}`);
    assertEquals(readAddress(viewOf(addressBytes(address)), 0), address, `seed 21 round ${round}`);
  }
});

Deno.test("address: with a port", () => {
  const address = { network: 0, node: 1 };
  assertEquals(formatSocketAddress(address, 1000), "0:0000.0000.0001:1000");
  assertEquals(parseSocketAddress("0:0000.0000.0001:1000"), { address, port: 1000 });
  assertEquals(parseSocketAddress("0:0000.0000.0001:0"), { address, port: 0 });
  assertEquals(parseSocketAddress("0:0000.0000.0001:65535"), { address, port: 65535 });
  for (const tail of ["", ":", ":65536", ":-1", ":1x", ": 1", ":1:2"]) {
    assertEquals(parseSocketAddress(`0:0000.0000.0001${tail}`), undefined, tail);
  }
  assertEquals(parseSocketAddress(""), undefined);
});

Deno.test("address: equality and range", () => {
  assert(sameAddress({ network: 1, node: 2 }, { network: 1, node: 2 }));
  assert(!sameAddress({ network: 1, node: 2 }, { network: 0, node: 2 }));
  assert(!sameAddress({ network: 1, node: 2 }, { network: 1, node: 3 }));
  assertThrows(() => addressBytes({ network: 65536, node: 0 }), RangeError, "network");
  assertThrows(() => addressBytes({ network: 0, node: -1 }), RangeError, "node");
});
