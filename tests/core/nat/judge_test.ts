import { assertEquals } from "../../assert.ts";
import { natType } from "../../../lib/core/nat/behaviour.ts";
import {
  type Finding,
  isTranslated,
  judgeFiltering,
  judgeMapping,
  judgePorts,
  type Sightings,
} from "../../../lib/core/nat/judge.ts";

const at = (port: number) => ({ host: "198.51.100.1", port });

Deno.test("judge: mapping, from what each place of the beacon saw", () => {
  const presumed = { mapping: "endpoint-independent", mappingIsPresumed: true };
  const table: [Omit<Sightings, "asked">, object][] = [
    [{ otherPort: at(1), otherAddress: at(1), both: at(1) }, { mapping: "endpoint-independent" }],
    [{ otherPort: at(1), otherAddress: at(2), both: at(2) }, { mapping: "address-dependent" }],
    [{ otherPort: at(2), otherAddress: at(3), both: at(4) }, { mapping: "address-and-port-dependent" }],
    // One address.
    [{ otherPort: at(1) }, presumed],
    [{ otherPort: at(2) }, { mapping: "address-and-port-dependent" }],
    // One port each.
    [{ otherAddress: at(1) }, { mapping: "endpoint-independent" }],
    [{ otherAddress: at(2) }, { mapping: "address-and-port-dependent", mappingIsPresumed: true }],
    // Some place is not heard.
    [{ otherAddress: at(2), both: at(2) }, { mapping: "address-dependent" }],
    [{ otherAddress: at(2), both: at(3) }, { mapping: "address-and-port-dependent" }],
    [{ both: at(1) }, { mapping: "endpoint-independent" }],
    [{ both: at(2) }, { mapping: "address-and-port-dependent", mappingIsPresumed: true }],
    [{ otherPort: at(1), both: at(2) }, { mapping: "address-dependent" }],
    [{}, {}],
  ];
  for (const [others, expected] of table) {
    assertEquals(judgeMapping({ asked: at(1), ...others }), expected, JSON.stringify(others));
  }
  const elsewhere = { host: "198.51.100.2", port: 1 };
  assertEquals(judgeMapping({ asked: at(1), otherPort: elsewhere }), {
    mapping: "address-and-port-dependent",
  });
});

Deno.test("judge: filtering, from what came in", () => {
  const bound = { filtering: "address-dependent", filteringIsBound: true };
  const table: [Finding, Finding, object][] = [
    ["came", "came", { filtering: "endpoint-independent" }],
    ["unknown", "came", { filtering: "endpoint-independent" }],
    ["came", "silent", { filtering: "address-dependent" }],
    ["came", "unknown", bound],
    ["silent", "silent", { filtering: "address-and-port-dependent" }],
    ["silent", "unknown", { filtering: "address-and-port-dependent" }],
    ["unknown", "silent", {}],
    ["unknown", "unknown", {}],
  ];
  for (const [otherPort, otherAddress, expected] of table) {
    assertEquals(judgeFiltering({ otherPort, otherAddress }), expected, `${otherPort} ${otherAddress}`);
  }
});

Deno.test("judge: port assignment, from inside and outside ports", () => {
  const series = (outside: number[], inside: (number | undefined)[] = []) =>
    outside.map((port, i) => ({ outside: port, inside: inside[i], isPrompt: true }));
  const table: [number[], (number | undefined)[], object][] = [
    [[5001, 5002, 5003, 5004], [5001, 5002, 5003, 5004], { ports: "preserving" }],
    [[5001, 5002, 6003, 5004], [5001, 5002, 5003, 5004], { ports: "preserving" }],
    [[40_000, 40_001, 40_002, 40_003], [5001, 5002, 5003, 5004], { ports: "sequential", portStep: 1 }],
    [[40_000, 40_001, 40_002, 40_003], [], { ports: "sequential", portStep: 1 }],
    [[40_000, 40_002, 40_001, 40_003], [], { ports: "sequential", portStep: 1 }],
    [[40_000, 40_002, 40_006, 40_008], [], { ports: "sequential", portStep: 2 }],
    [[40_008, 40_006, 40_002, 40_000], [], { ports: "sequential", portStep: -2 }],
    [[40_000, 40_009, 40_010], [], { ports: "sequential", portStep: 1 }],
    [[1024, 60_000, 33_333, 1030], [5001, 5002, 5003, 5004], { ports: "random" }],
    [[40_000, 40_001], [], {}],
    [[], [], {}],
  ];
  for (const [outside, inside, expected] of table) {
    assertEquals(judgePorts(series(outside, inside)), expected, String(outside));
  }
  assertEquals(judgePorts([], [{ inside: 4000, outside: 4000, isPrompt: true }]), { ports: "preserving" });
});

Deno.test("judge: ports chosen when a question was repeated do not tell the direction", () => {
  const late = (outside: number) => ({ outside, inside: undefined, isPrompt: false });
  const prompt = (outside: number) => ({ outside, inside: undefined, isPrompt: true });
  assertEquals(judgePorts([late(40_003), late(40_002), prompt(40_000), prompt(40_001)]).portStep, 1);
  assertEquals(judgePorts([late(40_003), late(40_002), late(40_001), late(40_000)]).portStep, 1);
});

Deno.test("judge: translation needs the own endpoints", () => {
  assertEquals(isTranslated(at(1), []), undefined);
  assertEquals(isTranslated(at(1), [at(2), at(1)]), false);
  assertEquals(isTranslated(at(1), [at(2)]), true);
  assertEquals(isTranslated({ host: "127.0.0.1", port: 1 }, [at(1)]), false);
  assertEquals(isTranslated({ host: "127.0.0.1", port: 1 }, [at(2)]), true);
});

Deno.test("behaviour: the words users know", () => {
  const eim = "endpoint-independent";
  const adm = "address-dependent";
  const apdm = "address-and-port-dependent";
  assertEquals(natType({}), "unknown");
  assertEquals(natType({ isTranslated: false }), "none");
  assertEquals(natType({ isTranslated: false, mapping: eim, filtering: eim }), "none");
  assertEquals(natType({ isTranslated: false, mapping: eim, filtering: apdm }), "port-restricted-cone");
  assertEquals(natType({ isTranslated: false, mapping: eim, filtering: adm }), "restricted-cone");
  // An open host, examined from one address only.
  const open = { isTranslated: false, mapping: eim, filtering: adm, filteringIsBound: true } as const;
  assertEquals(natType(open), "none");
  assertEquals(natType({ isTranslated: true, mapping: eim }), "unknown");
  assertEquals(natType({ isTranslated: true, mapping: eim, filtering: eim }), "full-cone");
  assertEquals(natType({ isTranslated: true, mapping: eim, filtering: adm }), "restricted-cone");
  assertEquals(natType({ isTranslated: true, mapping: eim, filtering: apdm }), "port-restricted-cone");
  assertEquals(natType({ isTranslated: true, mapping: adm, filtering: adm }), "symmetric");
  assertEquals(natType({ mapping: apdm }), "symmetric");
});
