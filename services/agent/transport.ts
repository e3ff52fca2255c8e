/**
 * Decides whether datagrams reach the beacon by UDP or by the carrier, the relay over WebSocket, and moves the node from
 * one to the other.
 *
 * With `auto`, UDP comes first, by a head start of some hundred milliseconds. When the beacon is silent there, the
 * carrier is tried, and takes over as soon as it has logged in; UDP goes on being tried, and takes over as soon as the
 * beacon answers.
 */

import type { Node } from "../../lib/core/node.ts";
import type { Transmit } from "../../lib/core/machine.ts";
import type { Identity } from "../../lib/crypto/identity.ts";
import type { Log } from "../../lib/io/log.ts";
import { WssCarrier } from "../../lib/io/wss.ts";
import { CaptivePortalError } from "../../lib/io/wss_connection.ts";
import { BeaconType } from "../../lib/wire/beacon.ts";
import type { Endpoint } from "../../lib/wire/endpoint.ts";
import type { TransportOptions } from "./transport_options.ts";

/** Stands for the beacon while its name cannot be looked up: nothing is ever sent there. */
const NOWHERE: Endpoint = { host: "0.0.0.0", port: 0 };

/**
 * How long an agent that starts waits for the beacon to answer on UDP before it tries the carrier as well, milliseconds:
 * the Connection Attempt Delay of RFC 8305 section 5.
 */
const HEAD_START_MS = 250;

/** What the transport works with. */
export interface TransportParts {
  readonly settings: Pick<TransportOptions, "transport" | "compatUrl" | "proxies" | "authorities">;
  readonly identity: Identity;
  readonly access: {
    readonly node: Node;
    act(step: (node: Node, now: number) => void): void;
  };
  /** Gives the node a datagram that seems to come from the beacon. */
  readonly inject: (from: Endpoint, data: Uint8Array) => void;
  /** `relayOnly` has changed: the registry should know. */
  readonly changed: () => void;
  readonly log: Log;
}

/** How things stand. */
export interface TransportState {
  readonly name: "udp" | "wss";
  /** Unix seconds. */
  readonly since: number;
  /** Why the carrier does not work, if it is wanted. */
  readonly error?: string;
  /** Whether that is because this network wants a login first. */
  readonly isCaptive: boolean;
}

/** The transport of one agent. */
export class Transport {
  readonly #parts: TransportParts;
  #carrier: WssCarrier | undefined;
  #name: TransportState["name"] = "udp";
  #since = unixNow();
  /** Carriers that are being hung up. */
  readonly #closing = new Set<Promise<void>>();
  #node = 0;
  #isClosed = false;
  #headStart: ReturnType<typeof setTimeout> | undefined;

  constructor(parts: TransportParts) {
    this.#parts = parts;
  }

  get state(): TransportState {
    const error = this.#carrier?.error;
    return {
      name: this.#name,
      since: this.#since,
      ...(error === undefined ? {} : { error: error.message }),
      isCaptive: error instanceof CaptivePortalError,
    };
  }

  /** Whether peers can reach this node through the relay only. */
  get relayOnly(): boolean {
    return this.#name === "wss";
  }

  /** Whether it is still open how datagrams will reach the beacon; a carrier that fails will not say. */
  get isUndecided(): boolean {
    const { node } = this.#parts.access;
    return this.#name === "udp" && node.beacon.reflexive === undefined && this.#carrier?.error === undefined;
  }

  /** Whether the beacon's address is of any use. */
  get usesUdp(): boolean {
    return this.#parts.settings.transport !== "wss";
  }

  /** Begins, before the first datagram leaves. */
  start(): void {
    if (this.usesUdp) {
      this.#headStart = setTimeout(() => this.handleBeacon(false), HEAD_START_MS);
      return;
    }
    this.#openCarrier();
    this.#switch("wss");
  }

  /** Takes a datagram of the node off the socket; whether it did. */
  divert({ to, data }: Transmit): boolean {
    if (this.#name === "udp") return false;
    if (data[0] === BeaconType.RELAY) {
      this.#carrier?.send(data.slice());
      return true;
    }
    return !this.usesUdp || to.host === NOWHERE.host;
  }

  /** The beacon answers on UDP, or does not; a name that cannot be looked up counts as silent. */
  handleBeacon(reachable: boolean): void {
    clearTimeout(this.#headStart);
    if (this.#isClosed || this.#parts.settings.transport !== "auto") return;
    if (!reachable) this.#openCarrier();
    else {
      this.#closeCarrier();
      this.#switch("udp");
    }
  }

  /** The node has this id now. */
  handleRegistered(node: number): void {
    if (node === this.#node) return;
    this.#node = node;
    this.#carrier?.restart();
  }

  /** Hangs up. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#headStart);
    this.#closeCarrier();
    await Promise.all(this.#closing);
  }

  #openCarrier(): void {
    if (this.#carrier !== undefined) return;
    const { settings, identity, log, access } = this.#parts;
    const carrier: WssCarrier = new WssCarrier({
      url: settings.compatUrl,
      identity,
      node: () => this.#node,
      proxies: settings.proxies,
      authorities: settings.authorities,
      log,
      hooks: {
        up: () => {
          if (this.#carrier === carrier) this.#up();
        },
        down: (error) => {
          if (this.#carrier !== carrier || this.#name !== "wss") return;
          if (access.node.beacon.isReachable) log.info("relay lost", { error });
          access.act((node, now) => node.setCarrier("down", now));
        },
        datagram: (data) => {
          const { beacon } = access.node.beacon;
          if (this.#carrier === carrier && beacon !== undefined) this.#parts.inject(beacon, data);
        },
      },
    });
    this.#carrier = carrier;
  }

  #closeCarrier(): void {
    if (this.#carrier === undefined) return;
    const closing = this.#carrier.close().finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
    this.#carrier = undefined;
  }

  #up(): void {
    const { access, log, settings } = this.#parts;
    if (this.#name === "udp") this.#switch("wss");
    access.act((node, now) => node.setCarrier("up", now));
    log.info("relay connected", { url: settings.compatUrl.href });
  }

  #switch(name: TransportState["name"]): void {
    if (name === this.#name) return;
    const { access, log, changed } = this.#parts;
    this.#name = name;
    this.#since = unixNow();
    log.info("transport changed", { transport: name });
    access.act((node, now) => {
      if (name === "wss" && node.beacon.beacon === undefined) node.setBeacons([NOWHERE], now);
      node.setCarrier(name === "wss" ? "down" : undefined, now);
    });
    changed();
  }
}

function unixNow(): number {
  return Math.floor(Date.now() / 1_000);
}
