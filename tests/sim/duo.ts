/**
 * Two agents that trust each other and a beacon, each behind a NAT of its own or none: the smallest world in which
 * they can fail to reach each other. There is no registry, and encryption is for show, so that thousands of such worlds
 * can be run.
 */

import { Beacon } from "../../lib/beacon/beacon.ts";
import type { BeaconEvent } from "../../lib/beacon/event.ts";
import type { NatBehaviour } from "../../lib/core/nat/behaviour.ts";
import { Node } from "../../lib/core/node.ts";
import type { NodeEvent } from "../../lib/core/node_event.ts";
import { generateIdentity, type Identity } from "../../lib/crypto/identity.ts";
import { beaconPlaces } from "./beacon_places.ts";
import { Carriers } from "./carrier.ts";
import { fastAead } from "./fast_aead.ts";
import {
  type Attachment,
  type Firewall,
  type LinkOptions,
  type NatOptions,
  SeededRandom,
  SimHost,
  SimNet,
  type SimSocket,
} from "./net.ts";

const EPOCH = 1_800_000_000_000;
const BEACON = { host: "203.0.113.1", port: 9_001 };
const PORT = 4_000;
/** The stream port that agents listen on. */
export const STREAM_PORT = 1_000;

const random = new SeededRandom(77);
/** Keys are costly to make, and nothing here depends on them. */
const IDENTITIES: readonly [Identity, Identity] = [
  generateIdentity(random.bytes),
  generateIdentity(random.bytes),
];

/** What is in front of an agent. Everything absent: an address on the internet. */
export interface Side {
  /** A NAT of its own. */
  readonly nat?: Partial<NatOptions> | undefined;
  readonly firewall?: Firewall;
  /** What the agent knows of it from the start; otherwise it finds out. */
  readonly knows?: NatBehaviour | undefined;
  /** In place of all that. */
  readonly attachment?: Attachment;
  readonly search?: boolean;
  /** Reaches the beacon on a connection in place of UDP. */
  readonly carrier?: boolean;
  /** Whether the agent tells the addresses of its computer. Default yes. */
  readonly tellsLocal?: boolean;
}

/** How a duo is made. */
export interface DuoOptions {
  readonly seed: number;
  readonly a: Side;
  readonly b: Side;
  readonly link?: LinkOptions;
  readonly trace?: boolean;
  /** The world to be in, when NATs are shared. */
  readonly net?: SimNet;
}

/** One of the two agents. */
export class DuoAgent {
  readonly id: number;
  readonly node: Node;
  readonly host: SimHost;
  readonly events: NodeEvent[] = [];
  readonly socket: SimSocket<NodeEvent>;
  readonly #net: SimNet;
  readonly #tellsLocal: boolean;
  #received = 0;

  constructor(net: SimNet, index: 0 | 1, options: { readonly side: Side; readonly carriers: Carriers }) {
    const { side, carriers } = options;
    this.id = index + 1;
    this.#net = net;
    this.#tellsLocal = side.tellsLocal ?? true;
    const peer = 2 - index;
    const name = index === 0 ? "a" : "b";
    this.host = net.addHost(name, {
      ...(side.firewall === undefined ? {} : { firewall: side.firewall }),
      ...(side.attachment ?? attachment(net, index, side)),
    });
    const identity = IDENTITIES[index];
    const publicKey = IDENTITIES[index === 0 ? 1 : 0].publicKey;
    this.node = new Node({
      identity,
      aead: fastAead,
      random: net.random.fork().bytes,
      unixTime: (now) => EPOCH + now,
      node: this.id,
      examine: side.knows === undefined,
      ...(side.search === undefined ? {} : { search: side.search }),
      trust: {
        trusted: [{ node: peer, publicKey, approvedAt: 1, mutual: true, network: 0 }],
        pending: [],
        outgoing: [],
        denied: [],
      },
    });
    this.node.ports.listen(STREAM_PORT);
    const carrier = side.carrier !== true ? undefined : carriers.open(
      this.id,
      this.host.ip,
      (data) => this.socket.receive(BEACON, data),
    );
    this.socket = this.host.attach<NodeEvent>(this.node, PORT, {
      onEvent: (event) => this.#handle(event),
      divert: ({ data }) => {
        carrier?.send(data);
        return carrier !== undefined;
      },
    });
    this.act((node, now) => {
      if (side.carrier === true) node.setCarrier("up", now);
      node.setBeacons([BEACON], now);
      if (side.knows !== undefined) node.setNat(side.knows, now);
    });
    this.tellAddresses();
  }

  /** How traffic to the other one goes. */
  get path(): "direct" | "relay" | "none" {
    return this.describe().path;
  }

  /** What the operator would be told. */
  describe() {
    const none = { path: "none", endpoint: undefined, rtt: undefined, source: undefined } as const;
    return this.node.tunnels.peer(3 - this.id)?.paths.describe(true) ?? none;
  }

  /** Bytes of streams that arrived. */
  get received(): number {
    return this.#received;
  }

  act<Result>(step: (node: Node, now: number) => Result): Result {
    const { now } = this.#net;
    const result = this.node.act(now, () => step(this.node, now));
    this.socket.touch();
    return result;
  }

  tellAddresses(): void {
    if (!this.#tellsLocal) return;
    const endpoints = this.host.addresses.map((host) => ({ host, port: PORT }));
    this.act((node, now) => node.setLocal(endpoints, now));
  }

  /** Takes the computer elsewhere. */
  moveTo(place: Attachment): void {
    this.host.moveTo(place);
    this.tellAddresses();
  }

  /** Dials the other one; the stream. */
  dial(): number {
    return this.act((node, now) => node.connect({ network: 0, node: 3 - this.id }, STREAM_PORT, now));
  }

  write(stream: number, bytes: Uint8Array): number {
    return this.act((node, now) => node.ports.write(stream, bytes, now));
  }

  #handle(event: NodeEvent): void {
    this.events.push(event);
    if (event.type === "registry") {
      // There is none.
      this.#net.schedule(
        0,
        () => this.act((node, now) => node.handleRegistryReply(event.tag, undefined, now)),
      );
    }
    if (event.type !== "stream" || event.event.type !== "readable") return;
    const { id } = event.event;
    this.#net.schedule(0, () =>
      this.act((node, now) => {
        for (let chunk = node.ports.read(id, now); chunk !== undefined; chunk = node.ports.read(id, now)) {
          this.#received += chunk.length;
          node.ports.giveBack(chunk);
        }
      }));
  }
}

/** Two agents and their beacon. */
export class Duo {
  readonly net: SimNet;
  readonly a: DuoAgent;
  readonly b: DuoAgent;
  /** Search probes and punches are told from the rest by where they go: nothing else leaves for other hosts. */
  readonly beacon: SimHost;

  constructor(options: DuoOptions) {
    this.net = options.net ??
      new SimNet({
        seed: options.seed,
        trace: options.trace ?? false,
        ...(options.link === undefined ? {} : { link: options.link }),
      });
    const { ip, addresses, places } = beaconPlaces(BEACON.host, BEACON.port, 2);
    this.beacon = this.net.addHost("beacon", { ip });
    const beacon = new Beacon({ random: this.net.random.fork().bytes, addresses });
    const carriers: Carriers = new Carriers(this.net, beacon, () => socket.touch());
    const onEvent = (event: BeaconEvent) => carriers.handle(event);
    const socket = this.beacon.attach<BeaconEvent>(beacon, BEACON.port, { places, onEvent });
    this.a = new DuoAgent(this.net, 0, { side: options.a, carriers });
    this.b = new DuoAgent(this.net, 1, { side: options.b, carriers });
    this.net.run(300);
  }

  /** Whether both send directly. */
  get isDirect(): boolean {
    return this.a.path === "direct" && this.b.path === "direct";
  }
}

/** The place of an agent: on the internet, or in a home network of its own. */
function attachment(net: SimNet, index: number, side: Side): Attachment {
  if (side.nat === undefined) return { ip: `192.0.2.${10 + index}` };
  const nat = net.addNat(`nat-${index}`, { ip: `198.51.100.${10 + index}`, ...side.nat });
  return { ip: `192.168.${index}.2`, nat };
}
