/**
 * From facts about an agent and its network to verdicts. Pure: the facts are gathered elsewhere.
 */

import type { CheckStatus, ClientCheck, ClientDoctor } from "../../lib/client/doctor.ts";
import type { NatBehaviour, NatType } from "../../lib/core/nat/behaviour.ts";
import type { ExaminerState } from "../../lib/core/nat/examiner.ts";
import type { Strategy } from "./nat_words.ts";

/** A server of the network, and how it answered. */
export interface ServerFact {
  /** `host:port`. */
  readonly address: string;
  /** Round-trip time in milliseconds, `undefined` when it did not answer, `null` when it did but nothing was measured. */
  readonly rtt: number | null | undefined;
  /** Why it did not answer. */
  readonly error?: string | undefined;
}

/** What a request to the relay over WebSocket came to; `other`: something else than a relay answers there. */
export interface CompatFact {
  readonly url: string;
  readonly outcome: "answers" | "other" | "silent";
  /** What was seen. */
  readonly detail: string;
}

/** Everything the verdicts are made from. What is `undefined` could not be found out. */
export interface DoctorFacts {
  /** The running agent, `undefined` when none runs. */
  readonly agent: { readonly version: string; readonly pid: number; readonly uptimeSecs: number } | undefined;
  readonly socket: string;
  /** The address that the registry gave and the key that it is bound to. */
  readonly identity: { readonly address: string; readonly key: string } | undefined;
  readonly registry: ServerFact;
  readonly beacons: readonly ServerFact[];
  /** How the beacon is reached. */
  readonly transport: "udp" | "wss";
  /** Why the beacon cannot be reached over WebSocket, when it should be. */
  readonly transportError?: string | undefined;
  /** Whether the relay over WebSocket answers; asked for when no beacon answers by UDP. */
  readonly compat?: CompatFact | undefined;
  readonly nat: NatBehaviour;
  /** How far the examination of the NAT has come. */
  readonly examination: ExaminerState;
  readonly natType: NatType;
  /** `host:port` as seen from outside. */
  readonly endpoint: string | undefined;
  readonly strategy: Strategy;
  /** A global IPv6 address of this computer. */
  readonly ipv6: string | undefined;
  /** What asking the router for a port came to. */
  readonly portMapping?: {
    readonly endpoint?: string | undefined;
    readonly tried: readonly { readonly method: string; readonly outcome: string }[];
  } | undefined;
  /** Our clock minus the registry's, milliseconds, to about a second. */
  readonly clockSkewMs: number | undefined;
  readonly aead: { readonly name: string; readonly megabytesPerSecond: number };
  readonly udpMode: string;
  /** The largest datagram that a path in use is known to carry, bytes. */
  readonly datagram: number | undefined;
}

/** The clock of a trust request may be 30 s ahead and 5 minutes behind (Pilot Protocol). */
const SKEW_WARN_MS = 20_000;
const SKEW_FAIL_MS = 300_000;
/** NAT mappings that live shorter than this cost keep-alives, milliseconds (RFC 4787 REQ-5 asks for two minutes). */
const SHORT_LIFETIME_MS = 30_000;
/** Below this the encryption is what limits throughput, megabytes per second. */
const SLOW_AEAD = 60;
/** UDP payload that every path is taken to carry, bytes. */
const BASE = 1_232;

/** All verdicts, in the order in which one looks for a fault. */
export function judge(facts: DoctorFacts): ClientDoctor {
  return {
    nat_type: facts.natType,
    endpoint: facts.endpoint ?? "",
    strategy: facts.strategy,
    checks: [
      agent(facts),
      check("socket", facts.agent === undefined ? "unknown" : "ok", facts.socket),
      identity(facts),
      registry(facts),
      ...facts.beacons.map((beacon) => beaconCheck(beacon)),
      udp(facts),
      ...nat(facts),
      ipv6(facts),
      portMapping(facts),
      clock(facts),
      aead(facts),
      check("udp_mode", "ok", facts.udpMode),
      mtu(facts),
    ],
  };
}

function check(name: string, status: CheckStatus, value: string, hint = ""): ClientCheck {
  return { name, status, value, hint };
}

function agent({ agent: running }: DoctorFacts): ClientCheck {
  if (running === undefined) return check("agent", "warn", "not running", "start it with: pilot agent start");
  const { version, pid, uptimeSecs } = running;
  return check("agent", "ok", `running (version ${version}, pid ${pid}, for ${duration(uptimeSecs)})`);
}

function identity({ identity: own, agent: running }: DoctorFacts): ClientCheck {
  if (own === undefined) {
    return running === undefined
      ? check("identity", "unknown", "made when the agent first starts")
      : check("identity", "fail", "no address yet", "an agent gets its address from the registry");
  }
  return check("identity", "ok", `${own.address} (Ed25519 ${own.key.slice(0, 16)}...)`);
}

function registry({ registry: server }: DoctorFacts): ClientCheck {
  if (server.rtt !== undefined) return check("registry", "ok", reached(server));
  const why = server.error === undefined ? "does not answer" : server.error;
  return check(
    "registry",
    "fail",
    `${server.address}: ${why}`,
    "new peers cannot be found; trusted ones go on. Check --registry, and that TCP to it is allowed",
  );
}

function beaconCheck(server: ServerFact): ClientCheck {
  if (server.rtt !== undefined) return check("beacon", "ok", reached(server));
  return check(
    "beacon",
    "fail",
    `${server.address}: ${server.error ?? "does not answer"}`,
    "without a beacon nothing is relayed and no hole is punched. Check --beacon, and that UDP to it is allowed",
  );
}

function reached({ address, rtt }: ServerFact): string {
  return typeof rtt === "number" ? `${address} (${rtt < 10 ? rtt.toFixed(1) : Math.round(rtt)} ms)` : address;
}

function udp({ beacons, registry: server, transport, transportError, compat }: DoctorFacts): ClientCheck {
  if (transport === "wss") {
    const hint = "direct paths need UDP; allow outgoing UDP to be faster";
    return transportError === undefined
      ? check("udp", "warn", "not used: everything goes over the relay's WebSocket", hint)
      : check("udp", "fail", `the relay's WebSocket does not work: ${transportError}`, hint);
  }
  if (beacons.some(({ rtt }) => rtt !== undefined)) return check("udp", "ok", "works");
  if (beacons.length === 0) return check("udp", "unknown", "no beacon to try it with");
  if (compat?.outcome === "answers") {
    return check(
      "udp",
      "warn",
      "blocked: the relay answers over WebSocket, no beacon answers by UDP",
      "the agent takes the relay by itself; allow outgoing UDP for direct paths",
    );
  }
  if (server.rtt === undefined) {
    return check("udp", "unknown", "neither registry nor beacon answers", "is this computer online?");
  }
  if (compat?.outcome === "other") {
    return check(
      "udp",
      "fail",
      `blocked, and something else than the relay answers at ${compat.url}: ${compat.detail}`,
      "behind a login page? Open any web page; behind a proxy? See --proxy",
    );
  }
  return check(
    "udp",
    "fail",
    "blocked: the registry answers by TCP, no beacon answers by UDP",
    "this network may drop UDP, or the beacon is down",
  );
}

const NOT_EXAMINED: Readonly<Record<ExaminerState, string>> = {
  idle: "not examined: no beacon answers",
  examining: "being examined: ask again in a few seconds",
  silent: "not examined: this beacon does not help to",
  done: "this beacon could not tell",
};

function nat({ nat: known, examination }: DoctorFacts): ClientCheck[] {
  if (known.mapping === undefined && known.isTranslated === undefined) {
    return [check("nat", "unknown", NOT_EXAMINED[examination])];
  }
  const translation = known.isTranslated === false ? "no address translation" : "translates addresses";
  const checks = [check("nat", "ok", known.isTranslated === undefined ? "not known exactly" : translation)];
  if (known.isTranslated !== false) checks.push(mapping(known, examination));
  if (known.filtering !== undefined) checks.push(check("filtering", "ok", known.filtering));
  if (known.ports !== undefined) {
    const step = known.portStep === undefined ? "" : `, step ${known.portStep}`;
    checks.push(check("port_assignment", "ok", `${known.ports}${step}`));
  }
  if (known.hairpin !== undefined) checks.push(check("hairpin", "ok", known.hairpin ? "yes" : "no"));
  if (known.isTranslated !== false) checks.push(lifetime(known.lifetimeMs));
  return checks;
}

function mapping({ mapping: known }: NatBehaviour, examination: ExaminerState): ClientCheck {
  if (known === undefined) return check("mapping", "unknown", NOT_EXAMINED[examination]);
  if (known === "endpoint-independent") return check("mapping", "ok", known);
  return check(
    "mapping",
    "warn",
    `${known}: the NAT picks another port for every peer`,
    "direct paths take longer or fail; switching on UPnP or NAT-PMP on the router helps",
  );
}

function lifetime(milliseconds: number | undefined): ClientCheck {
  if (milliseconds === undefined) return check("mapping_lifetime", "unknown", "not measured yet");
  const value = `at least ${Math.round(milliseconds / 1000)} s without traffic`;
  return milliseconds >= SHORT_LIFETIME_MS
    ? check("mapping_lifetime", "ok", value)
    : check("mapping_lifetime", "warn", value, "the agent sends keep-alives more often");
}

function ipv6({ ipv6: address }: DoctorFacts): ClientCheck {
  return address === undefined
    ? check("ipv6", "unknown", "no global address on this computer")
    : check("ipv6", "ok", address);
}

function portMapping({ portMapping: mapping, natType }: DoctorFacts): ClientCheck {
  if (mapping === undefined) return check("port_mapping", "unknown", "not tried");
  const tried = mapping.tried.map(({ method, outcome }) => `${method}: ${outcome}`).join(", ");
  if (mapping.endpoint !== undefined) return check("port_mapping", "ok", `${mapping.endpoint} (${tried})`);
  if (natType === "none") return check("port_mapping", "unknown", tried === "" ? "not needed" : tried);
  return check(
    "port_mapping",
    "unknown",
    tried === "" ? "not tried" : tried,
    natType === "symmetric" ? "switch on UPnP or NAT-PMP on the router if you can" : "",
  );
}

function clock({ clockSkewMs: skew }: DoctorFacts): ClientCheck {
  if (skew === undefined) return check("clock", "unknown", "could not be compared");
  const seconds = Math.round(Math.abs(skew) / 1000);
  if (Math.abs(skew) < SKEW_WARN_MS) {
    return check("clock", "ok", `within ${Math.max(1, seconds)} s of the registry`);
  }
  const value = `${seconds} s ${skew > 0 ? "ahead of" : "behind"} the registry`;
  const status = Math.abs(skew) < SKEW_FAIL_MS ? "warn" : "fail";
  return check("clock", status, value, "requests for trust carry the time: set the clock of this computer");
}

function aead({ aead: { name, megabytesPerSecond } }: DoctorFacts): ClientCheck {
  const value = `AES-256-GCM by ${name}, ${Math.round(megabytesPerSecond)} MB/s`;
  return name === "openssl" || megabytesPerSecond >= SLOW_AEAD
    ? check("aead", "ok", value)
    : check("aead", "warn", value, "install OpenSSL 3 (libcrypto) for faster encryption");
}

function mtu({ datagram }: DoctorFacts): ClientCheck {
  if (datagram === undefined) return check("mtu", "unknown", `no peer yet; ${BASE} bytes always fit`);
  return check("mtu", "ok", `${datagram} bytes per datagram on the best path`);
}

function duration(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
  return `${Math.round(seconds / 3_600)} h`;
}
