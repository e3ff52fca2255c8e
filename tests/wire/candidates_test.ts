import { fromHex, toHex } from "../../lib/wire/bytes.ts";
import {
  type CandidatesMessage,
  decodeTraversal,
  encodeTraversal,
  MAX_ENDPOINTS,
  type NatFacts,
  type TraversalMessage,
} from "../../lib/wire/candidates.ts";
import { assert, assertEquals, assertThrows } from "../assert.ts";
import { fuzz } from "./fuzz.ts";

const CANDIDATES: CandidatesMessage = {
  kind: "candidates",
  generation: 0x01020304,
  probeNow: true,
  nat: {
    isTranslated: true,
    mapping: "address-and-port-dependent",
    filtering: "address-dependent",
    ports: "sequential",
    portStep: -2,
  },
  candidates: [
    { kind: "mapped", endpoint: { host: "203.0.113.7", port: 40_000 } },
    { kind: "reflexive", endpoint: { host: "198.51.100.9", port: 50_000 } },
    { kind: "local", endpoint: { host: "2001:db8::7", port: 4_000 } },
  ],
};

const GOLDEN: readonly (readonly [string, TraversalMessage])[] = [
  [
    "01 01 01020304 ae fe 03" + "03 04 cb007107 9c40" + "02 04 c6336409 c350" +
    "01 10 20010db8000000000000000000000007 0fa0",
    CANDIDATES,
  ],
  ["01 00 00000000 00 00 00", {
    kind: "candidates",
    generation: 0,
    probeNow: false,
    nat: {},
    candidates: [],
  }],
  ["02 00000009", { kind: "received", generation: 9 }],
  [
    "03 01 00000007 02 9c40",
    { kind: "search", stage: "request", attempt: 7, round: 2, lastPort: 40_000 },
  ],
  [
    "03 02 00000007 02 0000",
    { kind: "search", stage: "agreed", attempt: 7, round: 2, lastPort: undefined },
  ],
];

Deno.test("candidates: golden bytes both ways", () => {
  for (const [hex, message] of GOLDEN) {
    assertEquals(decodeTraversal(fromHex(hex)), message);
    assertEquals(toHex(encodeTraversal(message)), hex.replaceAll(" ", ""));
  }
});

Deno.test("candidates: every behaviour survives", () => {
  const dependences = [
    undefined,
    "endpoint-independent",
    "address-dependent",
    "address-and-port-dependent",
  ] as const;
  const assignments = [undefined, "preserving", "sequential", "random"] as const;
  for (const isTranslated of [undefined, false, true]) {
    for (const mapping of dependences) {
      for (const filtering of dependences) {
        for (const ports of assignments) {
          const nat: NatFacts = {
            ...(isTranslated === undefined ? {} : { isTranslated }),
            ...(mapping === undefined ? {} : { mapping }),
            ...(filtering === undefined ? {} : { filtering }),
            ...(ports === undefined ? {} : { ports }),
          };
          const message = { ...CANDIDATES, nat };
          assertEquals(decodeTraversal(encodeTraversal(message)), message);
        }
      }
    }
  }
});

Deno.test("candidates: an endpoint of an unknown kind is skipped", () => {
  const hex = "01 00 00000001 00 00 02" + "63 04 cb007107 9c40" + "01 04 c6336409 c350" + "ffff";
  const message = decodeTraversal(fromHex(hex));
  assert(typeof message !== "string" && message.kind === "candidates");
  assertEquals(message.candidates, [{ kind: "local", endpoint: { host: "198.51.100.9", port: 50_000 } }]);
});

Deno.test("candidates: what makes no sense is refused", () => {
  for (
    const [hex, reason] of [
      ["", "short"],
      ["09 00", "type"],
      ["01 00 00000001 00 00 11", "field"],
      ["01 00 00000001 00 00 01 01 05 cb007107 9c40", "field"],
      ["01 00 00000001 00 00 02 01 04 cb007107 9c40", "short"],
      ["03 00 00000007 02 9c40", "field"],
      ["03 03 00000007 02 9c40", "field"],
    ] as const
  ) assertEquals(decodeTraversal(fromHex(hex)), reason, hex);
});

Deno.test("candidates: fields out of range cannot be sent", () => {
  const endpoint = { host: "203.0.113.7", port: 1 };
  const many = Array.from({ length: MAX_ENDPOINTS + 1 }, () => ({ kind: "local" as const, endpoint }));
  assertThrows(() => encodeTraversal({ ...CANDIDATES, candidates: many }), RangeError);
  assertThrows(() => encodeTraversal({ ...CANDIDATES, generation: 2 ** 32 }), RangeError);
  const name = [{ kind: "local" as const, endpoint: { host: "example.org", port: 1 } }];
  assertThrows(() => encodeTraversal({ ...CANDIDATES, candidates: name }), RangeError);
  assertThrows(
    () =>
      encodeTraversal({
        kind: "search",
        stage: "request",
        attempt: 1,
        round: 256,
        lastPort: undefined,
      }),
    RangeError,
  );
});

Deno.test("candidates: cut, random and mutated bytes never throw, and what is read can be sent", () => {
  fuzz(decodeTraversal, {
    valid: GOLDEN.map(([hex]) => fromHex(hex)),
    check: (_, result) => {
      encodeTraversal(result as TraversalMessage);
    },
  });
});
