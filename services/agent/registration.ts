/**
 * The agent's standing at the registry: registers, stays registered, fetches relayed trust messages.
 *
 * Two loops that share nothing but the node id: one keeps the registration fresh, the other waits for messages, so
 * that a registry which holds a poll open never delays a heartbeat. Both go on for ever, with back-off.
 */

import type { RecoveryReason } from "../../lib/core/recovery.ts";
import type { Identity } from "../../lib/crypto/identity.ts";
import type { Log } from "../../lib/io/log.ts";
import { pause, retryDelay } from "../../lib/io/pause.ts";
import { RegistryClient } from "../../lib/io/registry_client.ts";
import type { RegistryTls } from "../../lib/io/registry_connection.ts";
import { encodeBase64 } from "../../lib/wire/bytes.ts";
import { PilotError } from "../../lib/wire/error.ts";
import type { RegistryReply, RegistryRequest } from "../../lib/wire/registry.ts";
import type { HostPort } from "./config.ts";

/** What the registration tells the agent. */
export interface RegistrationHooks {
  /** `host:port` of the tunnel socket as seen from outside, the local one while unknown. */
  endpoint(): string;
  /** Whether peers can reach this node through the relay only. */
  relayOnly(): boolean;
  registered(node: number): void;
  request(message: { readonly from: number; readonly justification: string }): void;
  response(message: { readonly from: number; readonly accept: boolean }): void;
}

/** How to register. */
export interface RegistrationOptions {
  readonly registry: HostPort;
  readonly tls?: RegistryTls | undefined;
  readonly identity: Identity;
  readonly version: string;
  readonly owner: string;
  readonly hostname: string;
  readonly isPublic: boolean;
  readonly log: Log;
  readonly hooks: RegistrationHooks;
}

/** Heartbeat interval of the public network, milliseconds. */
const HEARTBEAT_MS = 30_000;
/** Heartbeats that may fail for unknown reasons before the node registers again (Pilot Protocol: 3). */
const HEARTBEAT_FAILURES = 3;
/** Time for a request while the registry is known to be away, milliseconds. */
const AWAY_TIMEOUT_MS = 1_500;
/** How long the registry may hold a poll open, milliseconds. */
const POLL_HOLD_MS = 25_000;
/** Room for the network beside `POLL_HOLD_MS`. */
const POLL_SLACK_MS = 8_000;
/** Poll interval at a registry that cannot hold a poll open, milliseconds. */
const POLL_INTERVAL_MS = 30_000;
/** The same for two minutes after a handshake was sent or received. */
const FAST_POLL_INTERVAL_MS = 2_000;
const FAST_POLL_FOR_MS = 120_000;

/** Keeps one node registered. */
export class Registration {
  readonly #options: RegistrationOptions;
  readonly #client: RegistryClient;
  readonly #pollClient: RegistryClient;
  readonly #publicKey: string;
  #node = 0;
  #address = "";
  #connected = false;
  #error: string | undefined;
  #hostname = "";
  #hostnameError: string | undefined;
  #wanted: { hostname: string; isPublic: boolean; tags: readonly string[]; taskExec: boolean };
  #withdrawn = false;
  #holdsPolls = false;
  #fastUntil = 0;
  #wakeHeartbeat = new AbortController();
  #wakePoll = new AbortController();
  #ack: number | undefined;

  constructor(options: RegistrationOptions) {
    this.#options = options;
    const client = { address: options.registry, tls: options.tls, identity: options.identity };
    this.#client = new RegistryClient(client);
    this.#pollClient = new RegistryClient(client);
    this.#publicKey = encodeBase64(options.identity.publicKey);
    this.#wanted = { hostname: options.hostname, isPublic: options.isPublic, tags: [], taskExec: false };
  }

  /** Text form of the address that the registry gave, empty before. */
  get address(): string {
    return this.#address;
  }

  /** The hostname that the registry has accepted. */
  get hostname(): string {
    return this.#hostname;
  }

  /** Why the wanted hostname is not ours. */
  get hostnameError(): string | undefined {
    return this.#hostnameError;
  }

  /** How the registry stands to us; `error` while connected is a refused hostname. */
  get state(): { readonly address: string; readonly connected: boolean; readonly error?: string } {
    const address = `${this.#options.registry.host}:${this.#options.registry.port}`;
    const error = this.#error ?? this.#hostnameError;
    return { address, connected: this.#connected, ...(error === undefined ? {} : { error }) };
  }

  /**
   * Registers for the first time and leaves the loops running until `signal` aborts. Resolves after the first try,
   * whatever came of it: the loops repeat it.
   */
  async start(signal: AbortSignal): Promise<{ readonly finished: Promise<void> }> {
    const first = await this.#tryRegister(signal);
    const loops = Promise.all([this.#stayRegistered(first, signal), this.#fetchMessages(signal)]);
    return { finished: loops.then(() => {}) };
  }

  /** One request of this node; signs what needs it. Refusals are values. @throws PilotError when it cannot be asked */
  async request(request: RegistryRequest): Promise<RegistryReply> {
    // With the registry known to be away nobody waits for more than one quick try.
    const reply = await this.#client.request(request, this.#connected ? {} : { timeoutMs: AWAY_TIMEOUT_MS });
    // It answers again: the next try to register need not wait any longer.
    if (!this.#connected) this.#wakeHeartbeat.abort("register");
    this.#remember(request, reply);
    return reply;
  }

  /** The endpoint has changed: tell the registry at once. */
  endpointChanged(): void {
    if (this.#node !== 0 && !this.#withdrawn) this.#wakeHeartbeat.abort("register");
  }

  /**
   * The network may be another one, or broken: registers again at once. Connections that may have been made on a network
   * that is gone would only be waited for in vain.
   */
  recover(reason: RecoveryReason): void {
    if (reason === "resumed" || reason === "network") {
      this.#client.disconnect();
      this.#pollClient.disconnect();
    }
    if (!this.#withdrawn) this.#wakeHeartbeat.abort("register");
    this.#wakePoll.abort();
  }

  /** A trust message was sent or is known to wait: look more often for a while, and now. */
  expectMessages(): void {
    this.#fastUntil = performance.now() + FAST_POLL_FOR_MS;
    if (!this.#holdsPolls) this.#wakePoll.abort();
  }

  /** Takes the node off the registry and hangs up, at an orderly end. Bounded in time, never throws. */
  async leave(): Promise<void> {
    try {
      if (this.#node !== 0 && !this.#withdrawn && this.#connected) {
        await this.#client.request({ type: "deregister", node_id: this.#node }, { timeoutMs: 1_000 });
      }
    } catch (error) {
      this.#options.log.debug("could not deregister", { error });
    }
    this.#client.close();
    this.#pollClient.close();
  }

  #remember(request: RegistryRequest, reply: RegistryReply): void {
    if (reply.type === "error") return;
    if (request.type === "set_hostname") {
      this.#wanted.hostname = request.hostname;
      this.#hostname = request.hostname;
      this.#hostnameError = undefined;
    } else if (request.type === "set_visibility") this.#wanted.isPublic = request.public;
    else if (request.type === "set_tags") this.#wanted.tags = request.tags;
    else if (request.type === "set_task_exec") this.#wanted.taskExec = request.enabled;
    else if (request.type === "deregister") this.#withdrawn = true;
    else if (request.type === "request_handshake" || request.type === "respond_handshake") {
      this.expectMessages();
    }
  }

  async #tryRegister(signal: AbortSignal): Promise<boolean> {
    const { owner, version, hooks, log } = this.#options;
    try {
      const request: RegistryRequest = {
        type: "register",
        listen_addr: hooks.endpoint(),
        public_key: this.#publicKey,
        version,
        ...(hooks.relayOnly() ? { relay_only: true } : {}),
        ...(owner === "" ? {} : { owner }),
        ...(this.#wanted.hostname === "" ? {} : { hostname: this.#wanted.hostname }),
      };
      const reply = await this.#client.request(request, { signal });
      if (reply.type !== "register_ok") {
        return this.#failed(reply.type === "error" ? reply.error : `unexpected answer ${reply.type}`);
      }
      const news = this.#node !== reply.node_id || !this.#connected;
      this.#node = reply.node_id;
      this.#address = reply.address;
      this.#withdrawn = false;
      await this.#restoreSettings(reply, signal);
      this.#connected = true;
      this.#error = undefined;
      if (news) log.info("registered", { address: reply.address, hostname: this.#hostname });
      hooks.registered(reply.node_id);
      this.#wakePoll.abort();
      return true;
    } catch (error) {
      return this.#failed(error instanceof PilotError ? error.message : String(error));
    }
  }

  #failed(reason: string): false {
    if (this.#error !== reason) this.#options.log.warn("not registered", { reason });
    this.#connected = false;
    this.#error = reason;
    return false;
  }

  /** A registration may have made a new record: say again what the registry may have forgotten. */
  async #restoreSettings(
    reply: Extract<RegistryReply, { type: "register_ok" }>,
    signal: AbortSignal,
  ): Promise<void> {
    const node_id = reply.node_id;
    const { hostname, isPublic, tags, taskExec } = this.#wanted;
    const ask = (request: RegistryRequest) => this.#client.request(request, { signal });
    if (hostname !== "" && reply.hostname !== hostname) {
      const answer = await ask({ type: "set_hostname", node_id, hostname });
      this.#hostname = answer.type === "error" ? "" : hostname;
      this.#hostnameError = answer.type === "error"
        ? (reply.hostname_error ?? answer.error).replace(/^request failed: /, "")
        : undefined;
      if (answer.type === "error") {
        this.#options.log.warn("hostname refused", { hostname, reason: answer.error });
      }
    } else {
      this.#hostname = hostname;
      this.#hostnameError = undefined;
    }
    if (isPublic) await ask({ type: "set_visibility", node_id, public: true });
    if (tags.length > 0) await ask({ type: "set_tags", node_id, tags });
    if (taskExec) await ask({ type: "set_task_exec", node_id, enabled: true });
  }

  async #stayRegistered(registered: boolean, signal: AbortSignal): Promise<void> {
    let failures = 0;
    for (let attempt = registered ? 0 : 1; !signal.aborted;) {
      const wait = this.#connected ? HEARTBEAT_MS : retryDelay(attempt);
      const reason = await this.#sleep(wait, "heartbeat", signal);
      if (signal.aborted) return;
      if (this.#withdrawn) continue;
      if (!this.#connected || reason === "register") {
        attempt = await this.#tryRegister(signal) ? 0 : attempt + 1;
        failures = 0;
        continue;
      }
      const verdict = await this.#heartbeat(signal);
      failures = verdict === "alive" ? 0 : failures + 1;
      if (verdict === "gone" || failures >= HEARTBEAT_FAILURES) {
        attempt = await this.#tryRegister(signal) ? 0 : 1;
        failures = 0;
      }
    }
  }

  async #heartbeat(signal: AbortSignal): Promise<"alive" | "unclear" | "gone"> {
    try {
      const reply = await this.#client.request({ type: "heartbeat", node_id: this.#node }, { signal });
      if (reply.type !== "error") {
        this.#error = undefined;
        return "alive";
      }
      return reply.code === "not_registered" || reply.code === "bad_signature" ? "gone" : "unclear";
    } catch (error) {
      // The registry itself is away: registering again, with back-off, is what brings us back.
      this.#failed(error instanceof PilotError ? error.message : String(error));
      return "gone";
    }
  }

  async #fetchMessages(signal: AbortSignal): Promise<void> {
    for (let attempt = 0; !signal.aborted;) {
      if (this.#node === 0 || this.#withdrawn || !this.#connected) {
        await this.#sleep(POLL_INTERVAL_MS, "poll", signal);
        continue;
      }
      const ok = await this.#poll(signal);
      attempt = ok ? 0 : attempt + 1;
      if (signal.aborted) return;
      if (!ok) await this.#sleep(retryDelay(attempt), "poll", signal);
      else if (!this.#holdsPolls) await this.#sleep(this.#pollInterval(), "poll", signal);
    }
  }

  async #poll(signal: AbortSignal): Promise<boolean> {
    try {
      const reply = await this.#pollClient.request({
        type: "poll_handshakes",
        node_id: this.#node,
        wait_ms: POLL_HOLD_MS,
        ack: this.#ack ?? 0,
      }, { signal, timeoutMs: POLL_HOLD_MS + POLL_SLACK_MS });
      if (reply.type !== "poll_handshakes_ok") return false;
      // Only a registry that keeps messages until they are acknowledged holds polls open, too.
      this.#holdsPolls = reply.ack !== undefined;
      this.#ack = reply.ack;
      const { hooks } = this.#options;
      for (const { from_node_id: from, justification } of reply.requests) {
        hooks.request({ from, justification });
      }
      for (const { from_node_id: from, accept } of reply.responses) hooks.response({ from, accept });
      if (reply.requests.length + reply.responses.length > 0) this.expectMessages();
      return true;
    } catch (error) {
      this.#options.log.debug("poll failed", { error });
      // The registry may be gone: the next heartbeat, which tells for sure, is due now.
      if (!signal.aborted) this.#wakeHeartbeat.abort("poll failed");
      return false;
    }
  }

  #pollInterval(): number {
    return performance.now() < this.#fastUntil ? FAST_POLL_INTERVAL_MS : POLL_INTERVAL_MS;
  }

  /** Sleeps until the time is over or the loop is woken; the reason it was woken with. */
  async #sleep(ms: number, loop: "heartbeat" | "poll", signal: AbortSignal): Promise<unknown> {
    const wake = loop === "heartbeat" ? this.#wakeHeartbeat : this.#wakePoll;
    await pause(ms, AbortSignal.any([signal, wake.signal]));
    if (!wake.signal.aborted) return undefined;
    if (loop === "heartbeat") this.#wakeHeartbeat = new AbortController();
    else this.#wakePoll = new AbortController();
    return wake.signal.reason;
  }
}
