import { isPunchTarget } from "../../lib/core/punch_target.ts";
import { assertEquals } from "../assert.ts";

const PUBLIC = { host: "203.0.113.1", port: 9_001 };
const LAN = { host: "192.168.1.1", port: 9_001 };

function verdicts(host: string, port = 4_000): [fromPublic: boolean, fromLan: boolean] {
  const target = { host, port };
  return [isPunchTarget(target, PUBLIC), isPunchTarget(target, LAN)];
}

Deno.test("punch target: global addresses are good for every beacon", () => {
  for (
    const host of [
      "8.8.8.8",
      "172.15.0.1",
      "172.32.0.1",
      "192.167.0.1",
      "100.63.0.1",
      "100.128.0.1",
      "169.253.0.1",
    ]
  ) {
    assertEquals(verdicts(host), [true, true], host);
  }
  for (const host of ["2001:db8::7", "fe00::1", "fec0::1"]) assertEquals(verdicts(host), [true, true], host);
});

Deno.test("punch target: local addresses only when the beacon is local itself", () => {
  const local = ["10.1.2.3", "127.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.7.7", "169.254.1.1"];
  const shared = ["100.64.0.1", "100.127.255.255"];
  for (const host of [...local, ...shared, "::1", "fd00::1", "fc01::1", "fe80::1", "febf::1"]) {
    assertEquals(verdicts(host), [false, true], host);
  }
});

Deno.test("punch target: what no datagram can be sent to is good for none", () => {
  for (
    const host of ["0.0.0.0", "0.1.2.3", "224.0.0.1", "239.255.255.255", "255.255.255.255", "::", "ff02::1"]
  ) {
    assertEquals(verdicts(host), [false, false], host);
  }
  assertEquals(verdicts("8.8.8.8", 0), [false, false]);
});
