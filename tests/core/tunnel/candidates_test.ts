import { candidateList, type OwnCandidates, usableCandidates } from "../../../lib/core/tunnel/candidates.ts";
import type { Candidate, CandidateKind } from "../../../lib/wire/candidates.ts";
import { assertEquals } from "../../assert.ts";

const at = (host: string, port = 4000) => ({ host, port });

function own(options: { local?: string[]; reflexive?: string } = {}): OwnCandidates {
  return {
    local: (options.local ?? []).map((host) => at(host)),
    reflexive: options.reflexive === undefined ? undefined : at(options.reflexive),
    mapped: undefined,
    nat: {},
  };
}

function tried(theirs: readonly (readonly [CandidateKind, string])[], ours: OwnCandidates): string[] {
  const list: Candidate[] = theirs.map(([kind, host]) => ({ kind, endpoint: at(host, 5000) }));
  return usableCandidates(list, ours).map(({ endpoint }) => endpoint.host);
}

Deno.test("the list begins with what is likely to work and leaves out what means nothing to others", () => {
  const list = candidateList({
    ...own({ local: ["fe80::1", "0.0.0.0", "224.0.0.1", "192.168.1.2"], reflexive: "198.51.100.1" }),
    mapped: at("203.0.113.5", 7000),
  });
  assertEquals(list.map(({ kind, endpoint }) => [kind, endpoint.host]), [
    ["mapped", "203.0.113.5"],
    ["reflexive", "198.51.100.1"],
    ["local", "192.168.1.2"],
  ]);
});

Deno.test("global addresses are tried whatever ours are", () => {
  assertEquals(tried([["local", "2001:db8::1"], ["reflexive", "198.51.100.1"]], own()), [
    "2001:db8::1",
    "198.51.100.1",
  ]);
});

Deno.test("IPv6 is left alone where there is none", () => {
  const theirs = [["local", "2001:db8::1"], ["reflexive", "198.51.100.1"]] as const;
  assertEquals(tried(theirs, own({ local: ["192.168.1.2"] })), ["198.51.100.1"]);
  assertEquals(tried(theirs, own({ local: ["192.168.1.2", "2001:db8::9"] })).length, 2);
});

Deno.test("a private address is tried when that network may be ours", () => {
  const theirs = [["reflexive", "198.51.100.1"], ["local", "192.168.1.7"]] as const;
  assertEquals(tried(theirs, own({ local: ["10.0.0.1"], reflexive: "198.51.100.2" })), ["198.51.100.1"]);
  assertEquals(tried(theirs, own({ local: ["192.168.9.9"] })), ["198.51.100.1", "192.168.1.7"]);
  assertEquals(tried(theirs, own({ local: ["10.0.0.1"], reflexive: "198.51.100.1" })), [
    "198.51.100.1",
    "192.168.1.7",
  ]);
});

Deno.test("each private range counts for itself", () => {
  const hosts = [
    "10.1.1.1",
    "172.16.0.1",
    "172.31.9.9",
    "192.168.0.1",
    "100.64.0.1",
    "169.254.1.1",
    "fd00::1",
  ];
  for (const host of hosts) {
    for (const ours of hosts) {
      const same = host === ours || (host.startsWith("172.") && ours.startsWith("172."));
      assertEquals(tried([["local", host]], own({ local: [ours] })), same ? [host] : [], `${host} ${ours}`);
    }
  }
});

Deno.test("what a beacon on a private network sees is good there, and nowhere else", () => {
  const theirs = [["reflexive", "10.9.0.2"], ["mapped", "10.9.0.3"], ["local", "192.168.1.7"]] as const;
  assertEquals(tried(theirs, own({ reflexive: "10.8.0.9" })), ["10.9.0.2", "10.9.0.3"]);
  assertEquals(tried(theirs, own({ reflexive: "198.51.100.9" })), []);
});

Deno.test("loopback is only for those that are on it, own addresses and no addresses for nobody", () => {
  assertEquals(tried([["local", "127.0.0.1"]], own({ local: ["192.168.1.2"] })), []);
  assertEquals(tried([["local", "127.0.0.1"]], own({ local: ["127.0.0.1"] })), ["127.0.0.1"]);
  const ours = own({ local: ["192.168.1.2"] });
  assertEquals(usableCandidates([{ kind: "local", endpoint: at("192.168.1.2") }], ours), []);
  for (const host of ["0.0.0.0", "224.0.0.1", "255.255.255.255", "::", "ff02::1", "fe80::1"]) {
    assertEquals(tried([["mapped", host]], own({ local: ["192.168.1.2"] })), [], host);
  }
  assertEquals(usableCandidates([{ kind: "reflexive", endpoint: at("198.51.100.1", 0) }], own()), []);
});

Deno.test("no more than eight are tried", () => {
  const theirs = Array.from({ length: 16 }, (_, i) => ["local", `198.51.100.${i + 1}`] as const);
  assertEquals(tried(theirs, own()).length, 8);
});
