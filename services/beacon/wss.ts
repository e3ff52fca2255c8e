/**
 * The relay over WebSocket, for nodes whose network lets no UDP pass: they log in with their identity key, and every
 * binary message is one datagram to or from the beacon.
 */

import type { Beacon } from "../../lib/beacon/beacon.ts";
import type { BeaconEvent } from "../../lib/beacon/event.ts";
import { RateTable } from "../../lib/core/limiter.ts";
import type { Log } from "../../lib/io/log.ts";
import { systemRandom } from "../../lib/io/random.ts";
import { CLOSE_REPLACED } from "../../lib/io/wss.ts";
import { serveWss, type WssClient, type WssClientHooks, type WssServer } from "../../lib/io/wss_server.ts";
import { toHex } from "../../lib/wire/bytes.ts";
import {
  COMPAT_CHALLENGE_AGE_MS,
  COMPAT_IDLE_MS,
  COMPAT_LOGIN_MS,
  COMPAT_MAX_MESSAGE,
  COMPAT_PATH,
  COMPAT_PROTOCOL,
  type CompatChallenge,
  decodeCompat,
  encodeCompat,
} from "../../lib/wire/compat.ts";
import type { NodeKeys } from "./node_keys.ts";

/** Bytes that may wait for one node before what is newest is lost. */
const MAX_BUFFERED = 512 * 1024;
/** Clients of one address: an office or a carrier's NAT may have many. */
const MAX_PER_HOST = 128;
/** Connections beyond the sessions of the beacon, for those that are still logging in. */
const MAX_LOGGING_IN = 1_024;
/** Logins of one address. */
const LOGIN_RATE = { perSecond: 5, burst: 64 };
/** Close code for a broken rule (RFC 6455 section 7.4.1), and for want of room. */
const CLOSE_POLICY = 1_008;
const CLOSE_TRY_LATER = 1_013;

/** How to serve the relay. */
export interface RelayServerOptions {
  readonly host: string;
  readonly port: number;
  readonly tls?: { readonly cert: string; readonly key: string } | undefined;
  readonly beacon: Beacon;
  /** Most nodes at a time. */
  readonly maxSessions: number;
  readonly keys: NodeKeys;
  readonly now: () => number;
  /** To be called after the beacon was told something. */
  readonly wake: () => void;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** Times replaced by tests, milliseconds. */
  readonly times?: { readonly login?: number; readonly idle?: number };
}

/** Connections of nodes that have logged in, and of those that are about to. */
export class RelayServer {
  readonly server: WssServer;
  readonly #options: RelayServerOptions;
  readonly #clients = new Map<number, WssClient>();
  readonly #logins = new RateTable<string>(LOGIN_RATE, 65_536);
  /** Datagrams lost because a node took them too slowly. */
  overflows = 0;

  /** @throws PilotError as `serveWss` */
  constructor(options: RelayServerOptions) {
    this.#options = options;
    this.server = serveWss({
      host: options.host,
      port: options.port,
      tls: options.tls,
      path: COMPAT_PATH,
      protocol: COMPAT_PROTOCOL,
      maxMessage: COMPAT_MAX_MESSAGE,
      maxBuffered: MAX_BUFFERED,
      maxConnections: options.maxSessions + MAX_LOGGING_IN,
      maxPerHost: MAX_PER_HOST,
      signal: options.signal,
      onClient: (client) => this.#welcome(client),
    });
  }

  /** What the beacon wants done. */
  handle(event: BeaconEvent): void {
    const client = this.#clients.get(event.session);
    if (client === undefined) return;
    if (event.type === "replaced") {
      this.#clients.delete(event.session);
      client.close(CLOSE_REPLACED, "replaced by another login");
    } else if (!client.sendBinary(event.data)) this.overflows++;
  }

  #welcome(client: WssClient): WssClientHooks {
    const { beacon, now, wake, times = {}, log } = this.#options;
    const challenge: CompatChallenge = {
      type: "auth_challenge",
      nonce: toHex(systemRandom(new Uint8Array(16))),
      ts: Math.floor(Date.now() / 1_000),
    };
    const challengedAt = now();
    let state: "challenged" | "judged" | "up" | "over" = "challenged";
    let session: number | undefined;
    const end = (reason: string, code = CLOSE_POLICY) => {
      if (state === "over") return;
      log.debug("relay refused", { host: client.host, reason });
      state = "over";
      client.close(code, reason);
    };
    let timer = setTimeout(() => end("the login took too long"), times.login ?? COMPAT_LOGIN_MS);
    const stayAwake = () => {
      clearTimeout(timer);
      // A connection that is dead does not take part in its own closing.
      timer = setTimeout(() => client.terminate(), times.idle ?? COMPAT_IDLE_MS);
    };
    const logIn = async (text: string) => {
      const reply = decodeCompat(text);
      if (reply?.type !== "auth_reply") return end("an auth_reply was expected");
      if (now() - challengedAt > COMPAT_CHALLENGE_AGE_MS) return end("the challenge is too old");
      if (!this.#logins.take(client.host, now())) return end("too many logins", CLOSE_TRY_LATER);
      state = "judged";
      const refusal = await this.#options.keys.refusal(reply, challenge);
      if (state !== "judged") return;
      if (refusal !== undefined) return end(refusal.reason, refusal.isOurs ? CLOSE_TRY_LATER : CLOSE_POLICY);
      session = beacon.attach({ node: reply.node, host: client.host }, now());
      if (session === undefined) return end("the beacon is full", CLOSE_TRY_LATER);
      state = "up";
      this.#clients.set(session, client);
      stayAwake();
      client.sendText(encodeCompat({ type: "auth_ok" }));
      wake();
      log.debug("relay connected", { node: reply.node, host: client.host });
    };
    client.sendText(encodeCompat(challenge));
    return {
      text: (text) => {
        if (state === "up") stayAwake();
        else if (state === "challenged") logIn(text);
        else end("the login is not finished");
      },
      binary: (data) => {
        if (state !== "up" || session === undefined) return end("not logged in");
        stayAwake();
        beacon.handleFrame(session, data, now());
        wake();
      },
      alive: () => {
        if (state !== "up" || session === undefined) return;
        stayAwake();
        beacon.noteAlive(session, now());
      },
      closed: () => {
        clearTimeout(timer);
        state = "over";
        if (session === undefined) return;
        this.#clients.delete(session);
        beacon.detach(session);
      },
    };
  }
}
