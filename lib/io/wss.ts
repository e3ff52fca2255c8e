/**
 * The carrier: keeps a connection to the relay of a beacon over WebSocket, for networks that let no UDP pass.
 *
 * It goes on for ever: no failure of a try ends it, only `close()` does.
 */

import type { Identity } from "../crypto/identity.ts";
import { PilotError } from "../wire/error.ts";
import type { Log } from "./log.ts";
import { pause } from "./pause.ts";
import type { ProxySource } from "./proxy_source.ts";
import { dial } from "./tunnel_dial.ts";
import { WssConnection, type WssLogin } from "./wss_connection.ts";

/** Distance of the first two tries, and the longest one after doubling, milliseconds (Pilot Protocol). */
const RETRY_FIRST_MS = 250;
const RETRY_LONGEST_MS = 30_000;
/** A connection that lasted so long was a good one: the distance begins anew, milliseconds. */
const GOOD_MS = 5_000;
/** Close code of our beacons: the node has logged in elsewhere. */
export const CLOSE_REPLACED = 4_001;

/** How to make a carrier. */
export interface CarrierOptions {
  /** `wss://host/path`, or `ws://` in the clear. */
  readonly url: URL;
  readonly identity: Identity;
  /** The node id, 0 while unknown: then nothing is tried. */
  readonly node: () => number;
  readonly proxies?: ProxySource | undefined;
  /** Authorities trusted beside those of the system, PEM. */
  readonly authorities?: string | undefined;
  readonly log: Log;
  readonly times?: WssLogin["times"];
  readonly hooks: CarrierHooks;
}

/** What the carrier tells. */
export interface CarrierHooks {
  /** Logged in: datagrams pass. */
  up(): void;
  /** No more, or still not; it goes on trying. */
  down(error: PilotError): void;
  datagram(data: Uint8Array): void;
}

/** A connection that is made again whenever it is lost. */
export class WssCarrier {
  readonly #options: CarrierOptions;
  readonly #closing = new AbortController();
  readonly #finished: Promise<void>;
  #connection: WssConnection | undefined;
  #again = new AbortController();
  #error: PilotError | undefined;

  constructor(options: CarrierOptions) {
    this.#options = options;
    this.#finished = this.#supervise();
  }

  /** Whether datagrams pass. */
  get isUp(): boolean {
    return this.#connection !== undefined;
  }

  /** Why the last try failed, `undefined` while it works. */
  get error(): PilotError | undefined {
    return this.isUp ? undefined : this.#error;
  }

  /** Sends one datagram to the beacon; false when it is lost. */
  send(data: Uint8Array): boolean {
    return this.#connection?.send(data) ?? false;
  }

  /** Logs in anew at once: the node has another id, or the computer is in another network. */
  restart(): void {
    this.#again.abort();
    this.#connection?.close();
  }

  /** Hangs up for good. */
  async close(): Promise<void> {
    this.#closing.abort(new PilotError("connection_failed", "the carrier is closed"));
    this.#connection?.close();
    await this.#finished;
  }

  async #supervise(): Promise<void> {
    const { signal } = this.#closing;
    for (let wait = 0; !signal.aborted;) {
      await pause(wait * (0.875 + Math.random() / 4), AbortSignal.any([signal, this.#again.signal]));
      if (this.#again.signal.aborted) {
        this.#again = new AbortController();
        wait = 0;
      }
      if (signal.aborted) return;
      const lasted = await this.#session(signal);
      if (lasted === "replaced") wait = RETRY_LONGEST_MS;
      else if (lasted >= GOOD_MS || wait === 0) wait = RETRY_FIRST_MS;
      else wait = Math.min(2 * wait, RETRY_LONGEST_MS);
    }
  }

  /** One connection from beginning to end; how long it was up, milliseconds. Never throws. */
  async #session(signal: AbortSignal): Promise<number | "replaced"> {
    const { hooks, log, url } = this.#options;
    let since: number | undefined;
    let code = 0;
    try {
      const connection = await this.#connect(AbortSignal.any([signal, this.#again.signal]));
      this.#connection = connection;
      since = performance.now();
      log.debug("relay connected", { url: url.href });
      hooks.up();
      const end = await connection.closed;
      code = end.code;
      throw new PilotError(
        "connection_failed",
        `the relay at ${url.host} has hung up: ${end.reason || end.code}`,
      );
    } catch (error) {
      this.#error = error instanceof PilotError
        ? error
        : new PilotError("connection_failed", `no relay at ${url.host}: ${error}`, { cause: error });
    }
    this.#connection = undefined;
    if (!signal.aborted) {
      log.debug("relay not connected", { url: url.href, error: this.#error });
      hooks.down(this.#error);
    }
    if (code === CLOSE_REPLACED) return "replaced";
    return since === undefined ? 0 : performance.now() - since;
  }

  async #connect(signal: AbortSignal): Promise<WssConnection> {
    const { url, identity, node, proxies, authorities, hooks, times } = this.#options;
    if (node() === 0) {
      throw new PilotError("invalid_state", "not registered yet", {
        hint: "the relay wants to know the node",
      });
    }
    const tls = url.protocol === "wss:";
    const port = url.port === "" ? tls ? 443 : 80 : Number(url.port);
    const host = url.hostname.replace(/^\[|\]$/g, "");
    const conn = await dial({ host, port, tls, proxies, authorities, signal });
    return await WssConnection.open(conn, {
      url,
      identity,
      node: node(),
      signal,
      onDatagram: (data) => hooks.datagram(data),
      ...(times === undefined ? {} : { times }),
    });
  }
}
