/** Asks the router for a public port, where that makes sense, and tells the node of it. */

import { isLocalAddress } from "../../lib/io/addresses.ts";
import { sourceAddressTowards } from "../../lib/io/source_address.ts";
import type { Log } from "../../lib/io/log.ts";
import { pause } from "../../lib/io/pause.ts";
import {
  type Mapping,
  type MappingReport,
  mapPort,
  type PortMapping,
} from "../../lib/io/portmap/port_mapping.ts";
import { type Endpoint, formatEndpoint } from "../../lib/wire/endpoint.ts";
import type { SwitchMode } from "./config.ts";

/** How often the network is looked at, milliseconds. */
const POLL_MS = 2_000;
/** The same while the beacon has not answered yet, milliseconds. */
const FIRST_POLL_MS = 100;

/** What the keeper works with. */
export interface PortMappingOptions {
  readonly mode: SwitchMode;
  /** Where the socket is bound. */
  readonly local: Endpoint;
  /** Where the beacon sees the socket, `undefined` as long as nobody knows. */
  readonly reflexive: () => Endpoint | undefined;
  /** Takes the external endpoint, `undefined` when there is none any more. */
  readonly tell: (mapped: Endpoint | undefined) => void;
  /** From it comes the secret that keeps a mapping ours after a crash. */
  readonly seed: Uint8Array;
  readonly log: Log;
  /** The end; mappings are deleted then. */
  readonly signal: AbortSignal;
  /** Replaces the router and the interfaces, for tests. */
  readonly surroundings?: Partial<Surroundings>;
}

/** What lies around the agent. */
export interface Surroundings {
  mapPort: typeof mapPort;
  isLocal(host: string): boolean;
  source(host: string): Promise<string | undefined>;
  readonly pollMs: number;
}

/** A keeper at work. */
export interface PortMappingKeeper {
  /** How it went, `undefined` while no router has been asked: there is no NAT, or the mode is `off`. */
  report(): MappingReport | undefined;
  /** Resolves after the end, when the mapping is deleted or the router is silent. Never rejects. */
  readonly finished: Promise<void>;
}

/**
 * Maps the port of the socket while there is a NAT: while the beacon sees the socket at an address that is none of
 * this computer. Agents whose beacon is on the same computer therefore never disturb a router.
 */
export function keepPortMapped(options: PortMappingOptions): PortMappingKeeper {
  let mapping: PortMapping | undefined;
  const finished = options.mode === "off"
    ? Promise.resolve()
    : keep(options, (current) => void (mapping = current)).catch((error) => {
      options.log.error("port mapping ended", { error });
    });
  return { report: () => mapping?.report(), finished };
}

async function keep(
  options: PortMappingOptions,
  current: (mapping: PortMapping | undefined) => void,
): Promise<void> {
  const { signal, reflexive } = options;
  const around: Surroundings = {
    mapPort,
    isLocal: isLocalAddress,
    source: sourceAddressTowards,
    pollMs: POLL_MS,
    ...options.surroundings,
  };
  let running: { readonly mapping: PortMapping; stop(): Promise<void> } | undefined;
  let source: string | undefined;
  while (!signal.aborted) {
    const outside = reflexive();
    const isBehindNat = outside !== undefined && !around.isLocal(outside.host);
    if (!isBehindNat) {
      // Without an answer of the beacon there is nothing new to conclude.
      if (outside !== undefined && running !== undefined) {
        await running.stop();
        running = undefined;
        current(undefined);
      }
    } else {
      const now = await around.source(outside.host);
      if (running === undefined) {
        running = start(options, around);
        current(running.mapping);
      } else if (now !== source) {
        running.mapping.renew();
      }
      source = now;
    }
    await pause(outside === undefined ? Math.min(FIRST_POLL_MS, around.pollMs) : around.pollMs, signal);
  }
  await running?.stop();
}

function start(
  { local, tell, seed, log, signal }: PortMappingOptions,
  around: Surroundings,
): { readonly mapping: PortMapping; stop(): Promise<void> } {
  const stopping = new AbortController();
  const abort = () => stopping.abort();
  signal.addEventListener("abort", abort);
  const mapping = around.mapPort({
    internalPort: local.port,
    protocol: "udp",
    secret: seed,
    signal: stopping.signal,
    onChange: (change) => {
      report(log, change);
      tell(change?.external);
    },
  });
  mapping.firstTry.then(({ gateway, tried }) => {
    const outcomes = tried.map(({ method, outcome }) => `${method} ${outcome}`).join(", ");
    log.debug("port mapping tried", { gateway, outcomes });
  });
  const stop = async () => {
    signal.removeEventListener("abort", abort);
    abort();
    await mapping.finished;
    // At the end of the agent nobody wants to hear it any more.
    if (!signal.aborted) tell(undefined);
  };
  return { mapping, stop };
}

function report(log: Log, mapping: Mapping | undefined): void {
  if (mapping === undefined) return log.info("the router forwards no port any more");
  const { method, external, scope } = mapping;
  log.info("the router forwards a port", { method, endpoint: formatEndpoint(external), scope });
}
