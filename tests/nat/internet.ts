/**
 * A small internet of network namespaces: a bridge with two public ranges, a server with an address in each, and
 * homes. All homes use the same private range, as real ones do.
 */

import type { NetworkClass } from "./expected.ts";
import { createNamespace } from "./namespaces.ts";
import { holdRules, portRangeRules, RELEASE_RULES, type RouterKind, routerRules } from "./rules.ts";
import { run } from "./shell.ts";

/** The public ranges (TEST-NET-3 and TEST-NET-2 of RFC 5737); both are on one link. */
const RANGES = ["203.0.113", "198.51.100"] as const;
const SERVER_NUMBER = 10;
const FIRST_HOME_NUMBER = 20;
/** The range inside of every home, and that between a carrier and its homes (RFC 6598). */
const HOME_RANGE = "192.168.1";
const CARRIER_RANGE = "100.64.0";
const ROUTER_NUMBER = 1;
const HOST_NUMBER = 2;

/** Ports that a NAT which lost its mappings takes next; then the other one. */
const NEW_PORTS = [{ first: 20_000, last: 29_999 }, { first: 40_000, last: 49_999 }] as const;

/** Everything that packets pass. */
export class Internet {
  /** Namespace of registry and beacon. */
  readonly server: string;
  /** Addresses of the server, one in each range. */
  readonly serverAddresses: readonly [string, string];
  readonly #bridge: string;
  #homes = 0;

  private constructor(bridge: string, server: string) {
    this.#bridge = bridge;
    this.server = server;
    this.serverAddresses = [`${RANGES[0]}.${SERVER_NUMBER}`, `${RANGES[1]}.${SERVER_NUMBER}`];
  }

  static async create(): Promise<Internet> {
    const bridge = await createNamespace("internet");
    await addBridge(bridge, "lan");
    const internet = new Internet(bridge, await createNamespace("server"));
    const addresses = internet.serverAddresses.map((address) => `${address}/24`);
    await plug({ host: internet.server, link: "wan", into: bridge, port: "server", addresses });
    return internet;
  }

  /** Connects a home, whose public address is in the first or the second range. */
  async addHome(name: string, kind: NetworkClass, range: 0 | 1): Promise<Home> {
    const number = FIRST_HOME_NUMBER + this.#homes++;
    const address = `${RANGES[range]}.${number}`;
    const other = `${RANGES[1 - range]}.0/24`;
    const uplink = {
      into: this.#bridge,
      port: `home${number}`,
      addresses: [`${address}/24`],
      reaches: other,
    };
    if (kind === "open") {
      const host = await createNamespace(`${name}-host`);
      await plug({ host, link: "wan", ...uplink });
      return new Home({ name, kind, host, router: undefined, outer: undefined });
    }
    const outer = kind === "carrier"
      ? await addRouter(`${name}-carrier`, { kind: "symmetric", range: CARRIER_RANGE, uplink })
      : undefined;
    const router = await addRouter(`${name}-router`, {
      kind: kind === "carrier" ? "portRestricted" : kind,
      range: HOME_RANGE,
      uplink: outer === undefined ? uplink : {
        into: outer.namespace,
        port: "home",
        addresses: [`${CARRIER_RANGE}.${HOST_NUMBER}/24`],
        reaches: "default",
        via: `${CARRIER_RANGE}.${ROUTER_NUMBER}`,
      },
    });
    const home = new Home({ name, kind, host: await createNamespace(`${name}-host`), router, outer });
    await home.join(home.host, HOST_NUMBER);
    return home;
  }
}

interface HomeParts {
  readonly name: string;
  readonly kind: NetworkClass;
  /** Namespace of the host. */
  readonly host: string;
  readonly router: Router | undefined;
  /** The carrier's, when there is one. */
  readonly outer: Router | undefined;
}

/** A host, and the routers between it and the internet. */
export class Home {
  readonly name: string;
  readonly kind: NetworkClass;
  readonly host: string;
  readonly #routers: readonly Router[];
  #hosts = HOST_NUMBER;

  constructor({ name, kind, host, router, outer }: HomeParts) {
    this.name = name;
    this.kind = kind;
    this.host = host;
    this.#routers = [router, outer].filter((found) => found !== undefined);
  }

  /** Connects one more host to the home network: its namespace. */
  async addHost(): Promise<string> {
    const host = await createNamespace(`${this.name}-host${++this.#hosts}`);
    await this.join(host, this.#hosts);
    return host;
  }

  /** Plugs a namespace into the home network. */
  async join(host: string, number: number): Promise<void> {
    await plug({
      host,
      link: "eth0",
      into: this.#inner.namespace,
      port: `host${number}`,
      addresses: [`${HOME_RANGE}.${number}/24`],
      reaches: "default",
      via: `${HOME_RANGE}.${ROUTER_NUMBER}`,
    });
  }

  /** Gives the host another address, as a change of network does. */
  async changeAddress(): Promise<void> {
    const ip = ["ip", "-n", this.host];
    await run([...ip, "address", "flush", "dev", "eth0", "scope", "global"]);
    await run([...ip, "address", "add", `${HOME_RANGE}.${++this.#hosts}/24`, "dev", "eth0"]);
    await run([...ip, "route", "add", "default", "via", `${HOME_RANGE}.${ROUTER_NUMBER}`]);
  }

  /** Forgets every flow and every address seen, as if nothing had ever been sent. */
  async forgetFlows(): Promise<void> {
    for (const router of this.#routers) await router.forgetFlows();
  }

  /** Loses all mappings for new ones, as a restart of the router does. */
  async loseMappings(): Promise<void> {
    await this.#inner.changePorts();
  }

  /** Lets UDP through only to and from `except`, or not at all. */
  async holdUdp({ except }: { readonly except?: string } = {}): Promise<void> {
    await this.#inner.load(holdRules(except));
  }

  /** Takes {@link holdUdp} back. */
  async releaseUdp(): Promise<void> {
    await this.#inner.load(RELEASE_RULES);
  }

  get #inner(): Router {
    const [router] = this.#routers;
    if (router === undefined) throw new Error(`there is no router at ${this.name}`);
    return router;
  }
}

/** A NAT in a namespace of its own. */
class Router {
  readonly namespace: string;
  #changes = 0;

  constructor(namespace: string) {
    this.namespace = namespace;
  }

  async load(rules: string): Promise<void> {
    await run(["ip", "netns", "exec", this.namespace, "nft", "-f", "-"], rules);
  }

  async forgetFlows(): Promise<void> {
    await this.load("flush set ip filter seen\n");
    await run(["ip", "netns", "exec", this.namespace, "conntrack", "-F"]);
  }

  async changePorts(): Promise<void> {
    await this.load(portRangeRules(NEW_PORTS[this.#changes++ % 2] ?? NEW_PORTS[0]));
    await run(["ip", "netns", "exec", this.namespace, "conntrack", "-F"]);
  }
}

interface RouterOptions {
  readonly kind: RouterKind;
  /** Inside; the router has the first address, the host that a full cone forwards to the second. */
  readonly range: string;
  readonly uplink: Omit<Plug, "host" | "link">;
}

async function addRouter(name: string, { kind, range, uplink }: RouterOptions): Promise<Router> {
  const namespace = await createNamespace(name);
  const router = new Router(namespace);
  const forward = "echo 1 > /proc/sys/net/ipv4/ip_forward";
  await run(["ip", "netns", "exec", namespace, "sh", "-c", forward]);
  await router.load(routerRules(kind, `${range}.${HOST_NUMBER}`));
  await addBridge(namespace, "lan");
  await run(["ip", "-n", namespace, "address", "add", `${range}.${ROUTER_NUMBER}/24`, "dev", "lan"]);
  await plug({ host: namespace, link: "wan", ...uplink });
  return router;
}

async function addBridge(namespace: string, name: string): Promise<void> {
  await run(["ip", "-n", namespace, "link", "add", name, "type", "bridge"]);
  await run(["ip", "-n", namespace, "link", "set", name, "up"]);
}

/** A cable from interface `link` of `host` to the bridge `lan` in namespace `into`. */
interface Plug {
  readonly host: string;
  readonly link: string;
  readonly into: string;
  readonly port: string;
  readonly addresses: readonly string[];
  /** What else than the own range is reached this way, `via` a router or on the link itself. */
  readonly reaches?: string;
  readonly via?: string;
}

async function plug({ host, link, into, port, addresses, reaches, via }: Plug): Promise<void> {
  const cable = ["type", "veth", "peer", "name", port, "netns", into];
  await run(["ip", "link", "add", link, "netns", host, ...cable]);
  await run(["ip", "-n", into, "link", "set", port, "master", "lan", "up"]);
  for (const address of addresses) await run(["ip", "-n", host, "address", "add", address, "dev", link]);
  await run(["ip", "-n", host, "link", "set", link, "up"]);
  if (reaches === undefined) return;
  await run([
    ...["ip", "-n", host, "route", "add", reaches],
    ...(via === undefined ? ["dev", link] : ["via", via]),
  ]);
}
