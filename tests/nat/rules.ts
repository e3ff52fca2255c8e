/**
 * What the routers do with packets, as nftables rule sets. Interface `wan` leads to the internet, `lan` to the home.
 *
 * A packet from outside that comes before the one from inside which it answers must be dropped in `input`: otherwise
 * the kernel keeps its addresses as a flow of its own, and gives the packet from inside another port.
 */

/** The routers there are. */
export type RouterKind = "fullCone" | "addressRestricted" | "portRestricted" | "symmetric" | "blocked";

/** Ports that a NAT uses, in place of those of the host. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/** The rule set of a router for the host at `host`, all of it: loading it replaces what was there. */
export function routerRules(kind: RouterKind, host: string): string {
  const fullCone = kind === "fullCone" || kind === "addressRestricted";
  return `flush ruleset
table ip nat {
  chain leaving {
    type nat hook postrouting priority srcnat
    ${kind === "symmetric" ? SYMMETRIC : ""}
    oifname "wan" masquerade
  }
  chain arriving {
    type nat hook prerouting priority dstnat
    ${fullCone ? `iifname "wan" udp dport 1024-65535 dnat to ${host}` : ""}
  }
}
table ip filter {
  set seen { type inet_service . ipv4_addr; flags dynamic; size 4096; }
  chain passing {
    type filter hook forward priority filter
    ${kind === "blocked" ? "ip protocol udp drop" : ""}
    ${kind === "addressRestricted" ? ADDRESS_RESTRICTED : ""}
  }
  chain inwards {
    type filter hook input priority filter
    ip protocol udp drop
  }
}
`;
}

/** Makes a port-restricted router take its ports from a range from now on, as one that was restarted might. */
export function portRangeRules({ first, last }: PortRange): string {
  return `flush chain ip nat leaving
add rule ip nat leaving oifname "wan" ip protocol udp masquerade to :${first}-${last}
add rule ip nat leaving oifname "wan" masquerade
`;
}

/** Lets UDP through only between the home and `server`, or not at all. */
export function holdRules(server: string | undefined): string {
  return `table ip hold {
  chain passing {
    type filter hook forward priority filter - 1
    ip protocol udp ${server === undefined ? "" : `ip saddr != ${server} ip daddr != ${server} `}drop
  }
}
`;
}

/** Takes {@link holdRules} back. */
export const RELEASE_RULES = "delete table ip hold\n";

const SYMMETRIC = `oifname "wan" ip protocol udp masquerade fully-random`;
/** A mapping lets in whom its host has sent to; the host's port is the mapping's. */
const ADDRESS_RESTRICTED = `oifname "wan" ip protocol udp update @seen { udp sport . ip daddr }
    iifname "wan" ip protocol udp udp dport . ip saddr != @seen drop`;
