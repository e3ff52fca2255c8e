/**
 * The facts behind the doctor's verdicts: of a running agent, and of this computer when none runs.
 */

import type { Node } from "../../lib/core/node.ts";
import type { AeadProvider } from "../../lib/crypto/aead.ts";
import { localAddresses } from "../../lib/io/addresses.ts";
import { pause } from "../../lib/io/pause.ts";
import type { RegistryReply, RegistryRequest } from "../../lib/wire/registry.ts";
import type { MappingReport } from "../../lib/io/portmap/port_mapping.ts";
import { formatEndpoint } from "../../lib/wire/endpoint.ts";
import { PilotError } from "../../lib/wire/error.ts";
import type { CompatFact, DoctorFacts, ServerFact } from "./report_doctor.ts";

/** How long a server may take to answer, milliseconds. */
export const SERVER_PATIENCE_MS = 2_500;

const UPGRADE_REQUIRED = 426;
/** How long an examination of the NAT may take, milliseconds. */
const EXAMINATION_PATIENCE_MS = 4_000;
/** How often it looks whether something has happened, milliseconds. */
export const LOOK_MS = 10;

/** Bytes per sealing when its speed is measured: a datagram. */
const PIECE = 1_200;
/** How long one measurement takes, milliseconds, and how many there are: the best one counts, on a busy computer too. */
const MEASURE_MS = 3;
const MEASUREMENTS = 6;

/** Asks the registry something and tells how long that took, in bounded time. */
export async function askRegistry(
  address: string,
  ask: (request: RegistryRequest) => Promise<RegistryReply>,
  request: RegistryRequest,
): Promise<{ readonly server: ServerFact; readonly reply: RegistryReply | undefined }> {
  const begun = performance.now();
  const over = new AbortController();
  const late = pause(SERVER_PATIENCE_MS, over.signal).then((): "late" => "late");
  try {
    const reply = await Promise.race([ask(request), late]);
    if (reply === "late") {
      return { server: { address, rtt: undefined, error: "no answer" }, reply: undefined };
    }
    return { server: { address, rtt: performance.now() - begun }, reply };
  } catch (error) {
    const text = error instanceof PilotError ? error.message : String(error);
    return { server: { address, rtt: undefined, error: text }, reply: undefined };
  } finally {
    over.abort();
  }
}

/**
 * Whether a relay over WebSocket answers at its URL: to a plain GET it says 426 (RFC 9110 section 15.5.22). Within a
 * bounded time, and through a proxy of the environment.
 */
export async function askCompat({ compatUrl, authorities }: CompatPlace): Promise<CompatFact> {
  const url = compatUrl.href;
  const http = url.replace(/^ws/, "http");
  const client = Deno.createHttpClient(authorities === undefined ? {} : { caCerts: [authorities] });
  try {
    const signal = AbortSignal.timeout(SERVER_PATIENCE_MS);
    const response = await fetch(http, { client, redirect: "manual", signal });
    await response.body?.cancel();
    const detail = `status ${response.status}`;
    return { url, outcome: response.status === UPGRADE_REQUIRED ? "answers" : "other", detail };
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    const isForged = /certificate|UnknownIssuer|invalid peer/i.test(text);
    return { url, outcome: isForged ? "other" : "silent", detail: text };
  } finally {
    client.close();
  }
}

/** Where the relay over WebSocket is. */
export interface CompatPlace {
  readonly compatUrl: URL;
  /** PEM text of authorities that are trusted beside those of the system. */
  readonly authorities: string | undefined;
}

/** Resolves when the examination of the NAT is over, if one is under way; within a bounded time. */
export async function examined(node: Node, signal?: AbortSignal): Promise<void> {
  const deadline = performance.now() + EXAMINATION_PATIENCE_MS;
  while (node.examiner.state === "examining" && performance.now() < deadline && signal?.aborted !== true) {
    await pause(LOOK_MS);
  }
}

/** Our clock minus the registry's, milliseconds, from the answer to a heartbeat: its seconds are whole ones. */
export function clockSkew(reply: RegistryReply | undefined, unixMs: number): number | undefined {
  if (reply?.type !== "heartbeat_ok") return undefined;
  return unixMs - (reply.time * 1000 + 500);
}

/** How fast `aead` seals datagrams on this computer, megabytes per second. Blocks for a few milliseconds. */
export function sealingSpeed(aead: AeadProvider): number {
  const cipher = aead.create(new Uint8Array(32).fill(7));
  const nonce = new Uint8Array(12);
  const counter = new DataView(nonce.buffer);
  const piece = new Uint8Array(PIECE);
  const none = new Uint8Array(0);
  let total = 0;
  const run = () => {
    const begun = performance.now();
    for (let count = 1;; count++) {
      counter.setUint32(8, ++total);
      cipher.seal(nonce, piece, none);
      const elapsed = performance.now() - begun;
      if (elapsed >= MEASURE_MS) return count * PIECE / 1000 / elapsed;
    }
  };
  return Math.max(...Array.from({ length: MEASUREMENTS }, run));
}

/** A global IPv6 address of this computer (RFC 4291: 2000::/3), `undefined` when it has none. */
export function globalIpv6(): string | undefined {
  return localAddresses().find((address) => /^[23][0-9a-f]{3}:/i.test(address));
}

/** Outcomes of which the details say more. */
const TELLING: ReadonlySet<string> = new Set(["refused", "malformed", "no-address", "unsupported"]);

/** What asking the router for a port came to, as a fact. */
export function mappingFact({ mapping, tried }: MappingReport): NonNullable<DoctorFacts["portMapping"]> {
  return {
    endpoint: mapping === undefined ? undefined : formatEndpoint(mapping.external),
    tried: tried.map(({ method, outcome, detail }) => ({
      method,
      outcome: TELLING.has(outcome) ? detail : outcome.replaceAll("-", " "),
    })),
  };
}
