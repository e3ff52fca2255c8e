/**
 * A world of agents: nodes, beacons and one registry in the simulated internet.
 */

import { signBase64 } from "../../lib/crypto/identity.ts";
import { Directory } from "../../lib/registry/directory.ts";
import { MemoryStore } from "../../lib/registry/memory_store.ts";
import type { Endpoint } from "../../lib/wire/endpoint.ts";
import { registryChallenge, type RegistryReply, type RegistryRequest } from "../../lib/wire/registry.ts";
import { EPOCH, SimAgent, type SimAgentOptions } from "./agent.ts";
import { BeaconSite } from "./beacon_site.ts";
import type { Carrier } from "./carrier.ts";
import { type LinkOptions, SeededRandom, type SimHost, SimNet } from "./net.ts";

/** One way to the registry, milliseconds. */
const REGISTRY_DELAY_MS = 5;

/** How a world is made. */
export interface WorldOptions {
  readonly seed: number;
  readonly link?: LinkOptions;
  readonly beacon?: boolean;
  /** How many addresses the beacon has, each with two ports; default 1. */
  readonly beaconAddresses?: 1 | 2;
  /** How many, default one. */
  readonly beacons?: number;
  /** Whether they know each other, default true. */
  readonly mesh?: boolean;
  readonly trace?: boolean;
}

/** Nodes, beacons and a registry. */
export class World {
  readonly net: SimNet;
  readonly random: SeededRandom;
  readonly agents: SimAgent[] = [];
  readonly directory: Directory;
  readonly sites: BeaconSite[] = [];
  readonly beacons: Endpoint[] = [];
  /** The first of them. */
  readonly beacon: Endpoint | undefined;
  readonly beaconHost: SimHost | undefined;
  /** Switch off to let the registry vanish. */
  registryUp = true;

  constructor(options: WorldOptions) {
    this.net = new SimNet({
      seed: options.seed,
      trace: options.trace ?? false,
      ...(options.link === undefined ? {} : { link: options.link }),
    });
    this.random = new SeededRandom(options.seed ^ 0x5eed);
    this.directory = new Directory({ store: new MemoryStore() });
    const count = options.beacon === false ? 0 : options.beacons ?? 1;
    for (let index = 0; index < count; index++) {
      const site = new BeaconSite(this, { ...options, index, count });
      this.sites.push(site);
      this.beacons.push(site.endpoint);
    }
    this.beaconHost = this.sites[0]?.host;
    this.beacon = this.sites[0]?.endpoint;
  }

  /** Connects an agent to the first beacon without UDP. */
  openCarrier(agent: SimAgent, receive: (data: Uint8Array) => void): Carrier {
    const [site] = this.sites;
    if (site === undefined) throw new Error("this world has no beacon");
    return site.openCarrier(agent, receive);
  }

  /** A registered agent. */
  addAgent(name: string, options: SimAgentOptions = {}): SimAgent {
    const agent = new SimAgent(this, name, { hostname: name, ...options });
    this.agents.push(agent);
    agent.register();
    return agent;
  }

  /** Two agents that trust each other, through the real handshake. */
  befriend(a: SimAgent, b: SimAgent): void {
    a.act((node, now) => node.trust.request(b.id, { justification: "test", now }));
    const asked = this.net.runUntil(() => b.node.trust.pending().some(({ node }) => node === a.id), 5_000);
    b.act((node, now) => node.trust.request(a.id, { justification: "test", now }));
    const both = () => a.node.trust.isTrusted(b.id) && b.node.trust.isTrusted(a.id);
    if (!asked || !this.net.runUntil(both, 5_000)) throw new Error("no mutual trust");
  }

  /** Asks the registry, at once. `undefined` when it is down. */
  ask(agent: SimAgent, request: RegistryRequest): RegistryReply | undefined {
    if (!this.registryUp) return undefined;
    const challenge = registryChallenge(request);
    const signed = challenge === undefined
      ? request
      : { ...request, signature: signBase64(agent.identity, challenge) };
    const from = { host: agent.host.publicIp, port: 40_000 };
    const reply = this.directory.handle(signed, from, EPOCH + this.net.now);
    for (const node of this.directory.takeArrivals()) {
      this.net.schedule(REGISTRY_DELAY_MS, () => this.#poll(node));
    }
    return reply;
  }

  /** Asks the registry as over a network. */
  askLater(
    agent: SimAgent,
    request: RegistryRequest,
    done: (reply: RegistryReply | undefined) => void,
  ): void {
    this.net.schedule(REGISTRY_DELAY_MS, () => {
      const reply = this.ask(agent, request);
      this.net.schedule(REGISTRY_DELAY_MS, () => done(reply));
    });
  }

  #poll(id: number): void {
    const agent = this.agents.find((each) => each.id === id);
    if (agent === undefined) return;
    const reply = this.ask(agent, { type: "poll_handshakes", node_id: id });
    if (reply?.type !== "poll_handshakes_ok") return;
    agent.act((node, now) => {
      for (const { from_node_id: from, justification } of reply.requests) {
        node.trust.handleRelayedRequest({ from, justification }, now);
      }
      for (const { from_node_id: from, accept } of reply.responses) {
        node.trust.handleRelayedResponse({ from, accept }, now);
      }
    });
  }
}
