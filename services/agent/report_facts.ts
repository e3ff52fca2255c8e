/**
 * The facts behind the doctor's verdicts: of a running agent, and of this computer when none runs.
 */

import type { AeadProvider } from "../../lib/crypto/aead.ts";
import { localAddresses } from "../../lib/io/addresses.ts";
import { pause } from "../../lib/io/pause.ts";
import type { RegistryReply, RegistryRequest } from "../../lib/wire/registry.ts";
import { PilotError } from "../../lib/wire/error.ts";
import type { ServerFact } from "./report_doctor.ts";

/** How long a server may take to answer, milliseconds. */
export const SERVER_PATIENCE_MS = 2_500;

/** Bytes per sealing when its speed is measured: a datagram. */
const PIECE = 1_200;
/** How long the measurement takes after as long a warm-up, milliseconds. */
const MEASURE_MS = 8;

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
  run();
  return run();
}

/** A global IPv6 address of this computer (RFC 4291: 2000::/3), `undefined` when it has none. */
export function globalIpv6(): string | undefined {
  return localAddresses().find((address) => /^[23][0-9a-f]{3}:/i.test(address));
}
