/** What a node is made of, and what its parts may ask of each other while they work. */

import { Beacons } from "./beacons.ts";
import { PORT_HANDSHAKE, REPLY_PORTS } from "./constants.ts";
import { Dials } from "./dials.ts";
import { Fifo } from "./fifo.ts";
import { HandshakePort } from "./handshake_port.ts";
import { Examiner } from "./nat/examiner.ts";
import type { NodeEvent } from "./node_event.ts";
import type { NodeOptions } from "./node_options.ts";
import { NodeSelf } from "./node_self.ts";
import { Offer } from "./offer.ts";
import { RegistryDesk } from "./registry_desk.ts";
import { Ports } from "./stream/ports.ts";
import { Trust } from "./trust.ts";
import { Tunnels } from "./tunnel/tunnels.ts";
import { ViaNumbers } from "./via.ts";

/** What a node is made of. */
export interface NodeParts {
  readonly self: NodeSelf;
  readonly trust: Trust;
  readonly ports: Ports;
  readonly tunnels: Tunnels;
  readonly beacon: Beacons;
  readonly examiner: Examiner;
  readonly desk: RegistryDesk;
  readonly handshakes: HandshakePort;
  readonly dials: Dials;
  /** What we offer for streams to nodes of our kind. */
  readonly offer: Offer;
  /** Numbers of extra sockets, for all parts that use some. */
  readonly vias: ViaNumbers;
  /** What the program around the node is to hear. */
  readonly events: Fifo<NodeEvent>;
}

/** Makes the parts of one node. */
export function makeParts(options: NodeOptions): NodeParts {
  const me = new NodeSelf(options);
  const self = () => me.node;
  const keepAlive = () => examiner.keepAliveMs;
  const offer = new Offer(options.profile);
  const vias = new ViaNumbers();
  const beacon = new Beacons({
    self,
    keepAlive,
    // A beacon that does not say who wants to punch is obeyed only by nodes that have somebody to wait for.
    mayPunch: (node, now) =>
      node === undefined ? me.isPublic || trust.trusted().length > 0 : trust.mayExchangeKeys(node, now),
  });
  const examiner: Examiner = new Examiner({ ...options, vias });
  const desk = new RegistryDesk({ self });
  const ports = new Ports({
    random: options.random,
    ...(options.limits === undefined ? {} : { limits: options.limits }),
  });
  ports.listen(PORT_HANDSHAKE);
  const trust: Trust = new Trust({
    self,
    identity: options.identity,
    unixTime: options.unixTime,
    isPublic: () => me.isPublic,
    canReach: (peer) => tunnels.peer(peer)?.isProven ?? false,
    replyPorts: REPLY_PORTS,
    ...(options.trust === undefined ? {} : { snapshot: options.trust }),
  });
  const tunnels: Tunnels = new Tunnels({
    ...options,
    self,
    keepAlive,
    abilities: offer.abilities,
    maySeeUs: (node) => trust.isTrusted(node),
    vias,
    search: options.search ?? true,
    policy: {
      mayExchange: (node, now) => trust.mayExchangeKeys(node, now),
      acceptsKey: (node, key) => trust.acceptsKey(node, key),
      identityKey: (node) => trust.pinnedKey(node) ?? desk.identity(node, me.now),
    },
  });
  const handshakes = new HandshakePort(ports);
  const own = { self: me, offer, vias, dials: new Dials(), events: new Fifo<NodeEvent>() };
  return { ...own, trust, ports, tunnels, beacon, examiner, desk, handshakes };
}
