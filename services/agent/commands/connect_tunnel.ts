/**
 * `connect` without a message: opens the tunnel and tells each step as it happens.
 */

import type { Context } from "../../../lib/cli/command.ts";
import type { AgentClient } from "../../../lib/client/agent.ts";
import type { ClientEvent, ClientEvents } from "../../../lib/client/events.ts";
import type { ClientPeerPaths } from "../../../lib/client/paths.ts";
import type { ClientStream } from "../../../lib/client/stream.ts";
import { pause } from "../../../lib/io/pause.ts";
import { formatAddress } from "../../../lib/wire/address.ts";
import { PilotError } from "../../../lib/wire/error.ts";
import { adviceWords, reasonWords } from "./path_words.ts";
import { dialPeer, type Peer } from "./peer.ts";
import { announceRoute, type Route, routeFields, routeTo } from "./route.ts";
import { within } from "./waiting.ts";

/** The echo service: every agent has it, so it is what a bare `connect` reaches for. */
const ECHO_PORT = 7;

/** How often it looks how the way stands, milliseconds; that it is direct, an event tells at once. */
const LOOK_MS = 250;

/** Obstacles that no waiting overcomes. */
const HOPELESS: ReadonlySet<string> = new Set(["own_udp_blocked", "peer_udp_blocked", "peer_foreign"]);

/** Whom to connect to. */
export interface Target {
  readonly peer: Peer;
  readonly port: number | undefined;
}

/** Opens the tunnel, waits a moment for a direct path, and reports how the bytes travel. */
export async function openTunnel(context: Context, client: AgentClient, target: Target): Promise<void> {
  const { peer, port = ECHO_PORT } = target;
  const timeoutMs = context.flags.duration("timeout") ?? 0;
  const { nat_type: natType } = await client.info();
  context.out.progress(`✓ NAT type: ${natType}`);
  using steps = new Steps(context, peer, client.events({ signal: context.signal }));
  await steps.begin();
  const begun = performance.now();
  const stream = await dialPeer(client, peer, { port, timeoutMs, signal: context.signal });
  const dialMs = performance.now() - begun;
  const measure = async () =>
    port === ECHO_PORT ? await echo(stream, { timeoutMs, signal: context.signal }) ?? dialMs : dialMs;
  let route = await routeTo(client, peer, await measure());
  if (isWorthWaiting(route)) {
    await steps.direct(context.flags.duration("wait") ?? 0, () => wayOf(client, peer));
    route = await routeTo(client, peer, await measure());
  }
  announceRoute(context, peer.name, route);
  if (route.path === "relay") explainRelay(context, route);
  await within(stream.close(), 1_000);
  const data = {
    target: formatAddress(peer.address),
    port,
    sent: "",
    response: "",
    ack: null,
    ...routeFields(route),
    ...(route.details === undefined
      ? {}
      : { reason: route.details.reason, advice: route.details.advice, endpoint: route.details.endpoint }),
  };
  context.out.result(data, () => `tunnel to ${peer.name} is up`);
}

/** The first packets paid for finding the way; an exchange of its own shows what the way itself costs. */
async function echo(
  stream: ClientStream,
  options: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<number | undefined> {
  const { timeoutMs, signal } = options;
  const sent = performance.now();
  await stream.write(new TextEncoder().encode("ping"), { signal });
  const answer = await within(stream.read({ signal }), timeoutMs);
  return answer === "late" || answer === null ? undefined : performance.now() - sent;
}

function isWorthWaiting({ path, details }: Route): boolean {
  return path === "relay" && details !== undefined && !details.advice.some(({ code }) => HOPELESS.has(code));
}

async function wayOf(client: AgentClient, peer: Peer): Promise<ClientPeerPaths | undefined> {
  return (await client.paths(peer.node)).peers[0];
}

function explainRelay(context: Context, { details }: Route): void {
  context.out.progress("  the relay carries sealed bytes that it cannot read");
  if (details === undefined) return;
  context.out.progress(`  why not direct: ${reasonWords(details.reason)}`);
  for (const advice of details.advice) context.out.progress(`  - ${adviceWords(advice)}`);
}

/** Tells of each step towards one peer once, as the agent reports it. */
class Steps implements Disposable {
  readonly #context: Context;
  readonly #peer: Peer;
  readonly #events: ClientEvents;
  readonly #told = new Set<string>();
  #direct = new AbortController();

  constructor(context: Context, peer: Peer, events: ClientEvents) {
    this.#context = context;
    this.#peer = peer;
    this.#events = events;
  }

  /** Begins to listen. Agents of other makes tell nothing: then there is nothing to show. */
  async begin(): Promise<void> {
    try {
      await this.#events.ready;
    } catch (error) {
      this.#context.signal.throwIfAborted();
      if (error instanceof PilotError && error.code === "unavailable") return;
      throw error;
    }
    // What goes wrong with the agent, the calls will tell.
    void this.#follow().catch(() => {});
  }

  /** Resolves when the path is direct, at the latest after `milliseconds`. */
  async direct(milliseconds: number, way: () => Promise<ClientPeerPaths | undefined>): Promise<void> {
    const end = performance.now() + milliseconds;
    const { signal } = this.#context;
    for (let left = milliseconds; left > 0; left = end - performance.now()) {
      const found = await way();
      if (found?.path === "direct") return;
      this.#tell(`… Relayed for now; waiting up to ${milliseconds / 1_000} s for a direct path`);
      const isSearching = found?.advice.some(({ code }) => code === "searching_ports") === true;
      if (isSearching) this.#tell("… Searching the port that the other NAT has chosen");
      await pause(Math.min(left, LOOK_MS), AbortSignal.any([this.#direct.signal, signal]));
      signal.throwIfAborted();
      if (this.#direct.signal.aborted) return;
    }
  }

  [Symbol.dispose](): void {
    this.#events.close();
  }

  async #follow(): Promise<void> {
    for await (const event of this.#events) {
      if ("node_id" in event && event.node_id === this.#peer.node) this.#take(event);
    }
  }

  #take(event: ClientEvent): void {
    const { name } = this.#peer;
    if (event.type === "punch") this.#tell(`… Hole punch with ${name} requested`);
    else if (event.type === "peer" && event.state === "connected") this.#tell(`✓ Keys agreed with ${name}`);
    else if (event.type === "path" && event.path === "direct") {
      const how = event.method === "hole-punch" ? "Hole punched" : "Direct path found";
      this.#tell(`✓ ${how}: ${event.endpoint}`);
      this.#direct.abort();
    } else if (event.type === "path") this.#direct = new AbortController();
  }

  #tell(line: string): void {
    if (this.#told.has(line)) return;
    this.#told.add(line);
    this.#context.out.progress(line);
  }
}
