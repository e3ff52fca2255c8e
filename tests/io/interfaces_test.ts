import { localEndpoints, MAX_LOCAL_ENDPOINTS, selectAddresses } from "../../lib/io/interfaces.ts";
import { parseIpv4Routes, parseIpv6Routes, routeTo } from "../../lib/io/routes.ts";
import { guessSource, sourceAddressTowards } from "../../lib/io/source_address.ts";
import { addressScope } from "../../lib/io/address_scope.ts";
import { gatewayOf, parseRouteOutput } from "../../lib/io/portmap/gateway.ts";
import { ipToBytes } from "../../lib/wire/ip.ts";
import { assert, assertEquals } from "../assert.ts";
import { SeededRandom } from "../sim/random.ts";

Deno.test("interfaces: useful addresses come in an order of their own, both families in turns", () => {
  const addresses = [
    "fe80::1%eth0",
    "127.0.0.1",
    "::1",
    "10.0.0.7",
    "fd00::7",
    "2001:db8::7",
    "169.254.3.3",
    "8.8.4.4",
  ];
  const expected = ["8.8.4.4", "2001:db8::7", "10.0.0.7", "fd00::7", "169.254.3.3"];
  assertEquals(selectAddresses(addresses), expected);
  assertEquals(selectAddresses(addresses.toReversed()), expected);
  assertEquals(selectAddresses([...addresses, "10.0.0.7"]), expected);
  assertEquals(selectAddresses(["127.0.0.1", "fe80::1"]), ["127.0.0.1"]);
  assertEquals(selectAddresses([]), []);
  const many = Array.from({ length: 40 }, (_, i) => [`2001:db8::${i + 1}`, `10.0.0.${i + 1}`]).flat();
  const chosen = selectAddresses([...many, "192.168.1.1"]);
  assertEquals(chosen.length, MAX_LOCAL_ENDPOINTS);
  assertEquals(chosen.filter((host) => host.includes(":")).length, MAX_LOCAL_ENDPOINTS / 2);
});

Deno.test("interfaces: the endpoints of a socket are those that its family has", () => {
  assertEquals(localEndpoints({ host: "127.0.0.1", port: 5 }), [{ host: "127.0.0.1", port: 5 }]);
  const four = localEndpoints({ host: "0.0.0.0", port: 7 });
  assert(four.length > 0 && four.every(({ host, port }) => !host.includes(":") && port === 7));
  const both = localEndpoints({ host: "::", port: 7 });
  assert(
    four.every(({ host }) => addressScope(host) === "loopback" || both.some((other) => other.host === host)),
  );
  assertEquals(localEndpoints({ host: "::", port: 7 }), both);
});

Deno.test("interfaces: the source address towards a host is one of ours", async () => {
  for (const source of [sourceAddressTowards, guessSource]) {
    assertEquals(await source("127.0.0.1"), "127.0.0.1");
    assertEquals(await source("router.home"), undefined);
    // Somewhere on the internet, where there may be no way: nothing is sent.
    const towards = await source("192.0.2.123");
    const own = [...localEndpoints({ host: "0.0.0.0", port: 1 }).map(({ host }) => host), "127.0.0.1"];
    assert(towards === undefined || own.includes(towards), `${towards} is none of ${own}`);
  }
});

const ROUTE = `Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
wlan0\t00000000\t0101A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0
eth0\t00000000\t010200C0\t0003\t0\t0\t100\t00000000\t0\t0\t0
ppp0\t00000000\t00000000\t0001\t0\t0\t50\t00000000\t0\t0\t0
eth0\t000200C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0
eth0\t000C000A\t020200C0\t0003\t0\t0\t0\t00FCFFFF\t0\t0\t0
eth1\t00000000\t010300C0\t0002\t0\t0\t1\t00000000\t0\t0\t0
lo\t0000000A\tFFFFFFFF\t0201\t0\t0\t0\t000000FF\t0\t0\t0
`;

const IPV6_ROUTE =
  `fd000000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000400 00000002 00000000 00000003     eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 fd000000000000000000000000000001 00000800 00000002 00000000 00000003     eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo
`;

Deno.test("interfaces: the gateway is that of the best default route which has one", () => {
  const routes = parseIpv4Routes(ROUTE);
  assertEquals(gatewayOf(routes), "192.0.2.1");
  assertEquals(
    gatewayOf(parseIpv4Routes(ROUTE.split("\n").filter((line) => !line.startsWith("eth0\t0000")).join("\n"))),
    "192.168.1.1",
  );
  assertEquals(gatewayOf(parseIpv6Routes(IPV6_ROUTE)), "fe80::1%eth0");
  assertEquals(gatewayOf([]), undefined);
});

Deno.test("interfaces: the longest prefix holds, then the lowest metric", () => {
  const routes = parseIpv4Routes(ROUTE);
  assertEquals(routeTo(routes, "192.0.2.77")?.gateway, undefined);
  assertEquals(routeTo(routes, "192.0.2.77")?.device, "eth0");
  assertEquals(routeTo(routes, "10.0.12.1")?.gateway, "192.0.2.2");
  assertEquals(routeTo(routes, "10.0.15.255")?.prefixLength, 22);
  assertEquals(routeTo(routes, "9.9.9.9")?.device, "ppp0");
  assertEquals(routeTo(routes, "fd00::1"), undefined);
  assertEquals(routeTo(routes, "nonsense"), undefined);
  const six = parseIpv6Routes(IPV6_ROUTE);
  assertEquals(routeTo(six, "fd00::9")?.gateway, undefined);
  assertEquals(routeTo(six, "2001:db8::1")?.gateway, "fe80::1");
});

Deno.test("interfaces: routes that make no sense are passed over", () => {
  const seed = 101;
  console.log(`seed ${seed}`);
  const random = new SeededRandom(seed);
  for (let i = 0; i < 2000; i++) {
    const [at, length] = [random.int(ROUTE.length), random.int(9)];
    const damage = (text: string) =>
      text.slice(0, at) + "\t0 x\n".repeat(random.int(3)) + text.slice(at + length);
    for (const route of [...parseIpv4Routes(damage(ROUTE)), ...parseIpv6Routes(damage(IPV6_ROUTE))]) {
      assert(ipToBytes(route.destination) !== undefined && route.prefixLength <= 128);
    }
  }
  assertEquals(parseIpv4Routes(""), []);
  assertEquals(parseIpv6Routes("\n\n"), []);
});

Deno.test("interfaces: what the commands of other systems print is read", () => {
  const mac = `   route to: default
destination: default
       mask: default
    gateway: 192.168.1.1
  interface: en0
      flags: <UP,GATEWAY,DONE,STATIC,PRCLONING,GLOBAL>
`;
  assertEquals(parseRouteOutput(mac, 4), "192.168.1.1");
  assertEquals(parseRouteOutput(mac, 6), undefined);
  assertEquals(parseRouteOutput(mac.replace("192.168.1.1", "fe80::1%en0"), 6), "fe80::1%en0");
  assertEquals(parseRouteOutput("default via 10.0.0.1 dev wlan0 proto dhcp metric 600\n", 4), "10.0.0.1");
  assertEquals(parseRouteOutput("default via fe80::9 dev wlan0 proto ra\n", 6), "fe80::9%wlan0");
  assertEquals(parseRouteOutput("default dev tun0 scope link\n", 4), undefined);
  assertEquals(parseRouteOutput("    gateway: router.home\n", 4), undefined);
});
