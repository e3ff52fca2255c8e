import { assert, assertEquals, assertThrows } from "../assert.ts";
import {
  endpointKey,
  formatEndpoint,
  ipFromBytes,
  ipToBytes,
  parseEndpoint,
  sameEndpoint,
  splitHostPort,
} from "../../lib/wire/endpoint.ts";
import { toHex } from "../../lib/wire/bytes.ts";
import { SeededRandom } from "../sim/random.ts";

Deno.test("endpoint: IPv4 and IPv6 both ways", () => {
  for (
    const text of [
      "1.2.3.4:5",
      "0.0.0.0:0",
      "255.255.255.255:65535",
      "[2001:db8::7]:5",
      "[::]:0",
      "[::1]:9000",
    ]
  ) {
    const endpoint = parseEndpoint(text);
    assert(endpoint !== undefined, text);
    assertEquals(formatEndpoint(endpoint), text);
    assertEquals(endpointKey(endpoint), text);
  }
});

Deno.test("endpoint: texts become canonical as of RFC 5952", () => {
  const canonical = {
    "[2001:DB8:0:0:0:0:0:7]:1": "[2001:db8::7]:1",
    "[2001:0db8:0000:0000:0001:0000:0000:0001]:1": "[2001:db8::1:0:0:1]:1",
    "[2001:db8:0:1:1:1:1:1]:1": "[2001:db8:0:1:1:1:1:1]:1",
    "[2001:db8::0:1]:1": "[2001:db8::1]:1",
    "[1:0:0:2:0:0:0:3]:1": "[1:0:0:2::3]:1",
    "[::ffff:192.0.2.1]:1": "192.0.2.1:1",
    "[::ffff:c000:201]:1": "192.0.2.1:1",
    "[64:ff9b::192.0.2.1]:1": "[64:ff9b::c000:201]:1",
    "[1:2:3:4:5:6:7::]:1": "[1:2:3:4:5:6:7:0]:1",
    "[::2:3:4:5:6:7:8]:1": "[0:2:3:4:5:6:7:8]:1",
    "[0:0:0:0:0:0:0:0]:00080": "[::]:80",
  };
  for (const [text, expected] of Object.entries(canonical)) {
    const endpoint = parseEndpoint(text);
    assertEquals(endpoint && formatEndpoint(endpoint), expected, text);
  }
});

Deno.test("endpoint: anything else is none", () => {
  const wrong = [
    "",
    ":",
    ":5",
    "1.2.3.4",
    "1.2.3.4:",
    "1.2.3.4:65536",
    "1.2.3.4:-1",
    "1.2.3.4: 5",
    "1.2.3.4:5 ",
    "1.2.3:5",
    "1.2.3.4.5:6",
    "01.2.3.4:5",
    "256.2.3.4:5",
    "[1.2.3.4]:5",
    "localhost:5",
    "example.com:5",
    "2001:db8::7:5",
    "::1:5",
    "[::1]",
    "[::1]5",
    "[::1:5",
    "[fe80::1%eth0]:5",
    "[1::2::3]:5",
    "[1:2:3:4:5:6:7]:5",
    "[1:2:3:4:5:6:7:8:9]:5",
    "[1:2:3:4::5:6:7:8]:5",
    "[12345::]:5",
    "[:::]:5",
    "[:1::2]:5",
    "[1.2.3.4::]:5",
    "[::1.2.3.4:5]:6",
    "[::1.2.3]:5",
    "[g::]:5",
    "[]:5",
  ];
  for (const text of wrong) assertEquals(parseEndpoint(text), undefined, text);
});

Deno.test("endpoint: bytes and text agree for random addresses", () => {
  const random = new SeededRandom(11);
  for (let round = 0; round < 5000; round++) {
    const bytes = random.bytes(new Uint8Array(random.chance(0.3) ? 4 : 16));
    for (let i = 0; i < bytes.length; i += 2) if (random.chance(0.5)) bytes.fill(0, i, i + 2);
    const text = ipFromBytes(bytes);
    const back = ipToBytes(text);
    assert(back !== undefined, `seed 11 round ${round} ${text}`);
    assertEquals(toHex(back), toHex(bytes), `seed 11 round ${round} ${text}`);
    if (bytes.length === 16) {
      assertEquals(new URL(`http://[${text}]/`).hostname, `[${text}]`, `seed 11 round ${round}`);
    }
  }
});

Deno.test("endpoint: random texts never throw", () => {
  const random = new SeededRandom(12);
  const alphabet = "0123456789abcf:.[]%x ";
  for (let round = 0; round < 100_000; round++) {
    const text = Array.from({ length: random.int(24) }, () => alphabet.charAt(random.int(alphabet.length)))
      .join("");
    const endpoint = parseEndpoint(text);
    if (endpoint !== undefined) assertEquals(parseEndpoint(formatEndpoint(endpoint)), endpoint, text);
    splitHostPort(text);
  }
});

Deno.test("endpoint: bytes of other lengths are misuse", () => {
  for (const length of [0, 3, 5, 15, 17]) assertThrows(() => ipFromBytes(new Uint8Array(length)), RangeError);
});

Deno.test("endpoint: equality is by address and port", () => {
  assert(sameEndpoint({ host: "1.2.3.4", port: 5 }, { host: "1.2.3.4", port: 5 }));
  assert(!sameEndpoint({ host: "1.2.3.4", port: 5 }, { host: "1.2.3.4", port: 6 }));
  assert(!sameEndpoint({ host: "1.2.3.4", port: 5 }, { host: "1.2.3.5", port: 5 }));
});

Deno.test("endpoint: host and port are split without looking up names", () => {
  assertEquals(splitHostPort("example.com:9000"), { host: "example.com", port: 9000 });
  assertEquals(splitHostPort(":9000"), { host: "", port: 9000 });
  assertEquals(splitHostPort("[::1]:9000"), { host: "::1", port: 9000 });
  assertEquals(splitHostPort("[fe80::1%eth0]:1"), { host: "fe80::1%eth0", port: 1 });
  assertEquals(splitHostPort("a_b-c:0"), { host: "a_b-c", port: 0 });
  for (
    const text of [
      "",
      "example.com",
      "example.com:",
      "example.com:x",
      "a b:1",
      "::1:9000",
      "a:70000",
      "a:1:2",
    ]
  ) {
    assertEquals(splitHostPort(text), undefined, text);
  }
});
