/** One beacon of a world, on a computer of its own. */

import { Beacon } from "../../lib/beacon/beacon.ts";
import type { BeaconEvent } from "../../lib/beacon/event.ts";
import type { Endpoint } from "../../lib/wire/endpoint.ts";
import type { SimAgent } from "./agent.ts";
import { beaconPlaces } from "./beacon_places.ts";
import { type Carrier, Carriers } from "./carrier.ts";
import type { SimHost, SimSocket } from "./net.ts";
import type { World, WorldOptions } from "./world.ts";

const BEACON_PORT = 9001;

/** The computer, and the process on it. */
export class BeaconSite {
  readonly host: SimHost;
  readonly endpoint: Endpoint;
  beacon: Beacon;
  readonly #make: () => Beacon;
  readonly #world: World;
  readonly #places: readonly Endpoint[];
  #socket: SimSocket<BeaconEvent>;
  #carriers: Carriers | undefined;

  constructor(world: World, options: WorldOptions & { readonly index: number; readonly count: number }) {
    const { index, count, mesh = true } = options;
    const hosts = Array.from({ length: count }, (_, each) => `203.0.113.${each + 1}`);
    const own = hosts[index] ?? "";
    this.endpoint = { host: own, port: BEACON_PORT };
    const peers = mesh
      ? hosts.filter((host) => host !== own).map((host) => ({ host, port: BEACON_PORT }))
      : [];
    const { ip, addresses, places } = beaconPlaces(own, BEACON_PORT, options.beaconAddresses);
    this.#world = world;
    this.#places = places;
    this.#make = () => new Beacon({ random: world.random.bytes, id: index + 1, peers, addresses });
    this.host = world.net.addHost(index === 0 ? "beacon" : `beacon-${index + 1}`, { ip });
    this.beacon = this.#make();
    this.#socket = this.#attach();
  }

  /** Ends the process. */
  stop(): void {
    this.#socket.close();
  }

  /** Starts it again; it has forgotten everything. */
  restart(): void {
    this.stop();
    this.beacon = this.#make();
    this.#socket = this.#attach();
  }

  /** Connects an agent without UDP. */
  openCarrier(agent: SimAgent, receive: (data: Uint8Array) => void): Carrier {
    this.#carriers ??= new Carriers(this.#world.net, this.beacon, () => this.#socket.touch());
    return this.#carriers.open(agent.id, agent.host.publicIp, receive);
  }

  #attach(): SimSocket<BeaconEvent> {
    this.#carriers = undefined;
    return this.host.attach<BeaconEvent>(this.beacon, BEACON_PORT, {
      places: this.#places,
      onEvent: (event) => this.#carriers?.handle(event),
    });
  }
}
