import {
  isCertain,
  needsLastPort,
  planSearch,
  type SearchRole,
} from "../../../lib/core/tunnel/search_plan.ts";
import type { NatFacts } from "../../../lib/wire/candidates.ts";
import { assertEquals } from "../../assert.ts";

const EIM = "endpoint-independent";
const ADM = "address-dependent";
const APDM = "address-and-port-dependent";

function nat(
  mapping: NatFacts["mapping"],
  filtering: NatFacts["filtering"],
  ports: NatFacts["ports"] = "random",
): NatFacts {
  return {
    isTranslated: true,
    ...(mapping === undefined ? {} : { mapping }),
    ...(filtering === undefined ? {} : { filtering }),
    ...(ports === undefined ? {} : { ports }),
  };
}

const NATS = {
  P: { isTranslated: false, filtering: EIM },
  firewalled: { isTranslated: false, filtering: APDM },
  F: nat(EIM, EIM),
  A: nat(EIM, ADM),
  PR: nat(EIM, APDM),
  Sa: nat(ADM, ADM),
  SaOpen: nat(ADM, EIM),
  Sx: nat(APDM, ADM),
  Sq: nat(APDM, APDM, "sequential"),
  Sp: nat(APDM, APDM, "preserving"),
  Sr: nat(APDM, APDM),
  unknown: {},
} as const satisfies Record<string, NatFacts>;

type Name = keyof typeof NATS;

/** Ours, theirs, our role, their role. Pairs that are not listed need no search or cannot be helped. */
const TABLE: readonly (readonly [Name, Name, SearchRole, SearchRole])[] = [
  ...(["PR", "firewalled", "unknown"] as const).flatMap((fixed) => [
    [fixed, "Sq", "aim", "offer"] as const,
    [fixed, "Sp", "aim", "offer"] as const,
    ...(["Sr", "Sa", "SaOpen", "Sx"] as const).map((name) => [fixed, name, "spray", "open"] as const),
  ]),
  ...(["Sq", "Sp", "Sr"] as const).flatMap((name) => [
    ["Sa", name, "open", "spray"] as const,
    ["SaOpen", name, "open", "spray"] as const,
  ]),
  ["Sq", "Sq", "row", "row"],
  ["Sq", "Sp", "row", "row"],
  ["Sp", "Sp", "row", "row"],
  // Both can open: the lower node id does.
  ["Sa", "Sa", "open", "spray"],
  ["Sa", "SaOpen", "open", "spray"],
  ["SaOpen", "SaOpen", "open", "spray"],
  ["Sa", "Sx", "open", "spray"],
  ["SaOpen", "Sx", "open", "spray"],
  ["Sx", "Sx", "open", "spray"],
];

Deno.test("search plan: the table, both ways, and nothing else", () => {
  const names = Object.keys(NATS) as Name[];
  for (const a of names) {
    for (const b of names) {
      const listed = TABLE.find(([one, other]) => one === a && other === b);
      const turned = TABLE.find(([one, other]) => one === b && other === a);
      const expected = listed !== undefined
        ? [listed[2], listed[3]]
        : turned !== undefined
        ? [turned[3], turned[2]]
        : [undefined, undefined];
      const actual = [planSearch(NATS[a], NATS[b], true), planSearch(NATS[b], NATS[a], false)];
      const symmetric = actual.toSorted().join() === expected.toSorted().join();
      // When both could do either, the ids decide and not the order of the table.
      const isEither = ["Sa", "SaOpen", "Sx"].includes(a) && ["Sa", "SaOpen", "Sx"].includes(b);
      if (isEither) assertEquals([symmetric, actual[0]], [true, "open"], `${a} x ${b}`);
      else assertEquals(actual, expected, `${a} x ${b}`);
    }
  }
});

Deno.test("search plan: what is certain, and who needs its last port", () => {
  const certain = Object.entries(NATS).filter(([, each]) => isCertain(each)).map(([name]) => name);
  assertEquals(certain, Object.keys(NATS).filter((name) => name !== "unknown"));
  for (
    const vague of [nat(undefined, APDM), nat(APDM, undefined), { mapping: APDM, filtering: APDM } as const]
  ) {
    assertEquals(isCertain(vague), false);
  }
  const roles: readonly SearchRole[] = ["open", "spray", "offer", "aim", "row"];
  assertEquals(roles.filter(needsLastPort), ["offer", "row"]);
});
