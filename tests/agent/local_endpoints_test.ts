import { localEndpoints } from "../../services/agent/local_endpoints.ts";
import { assertEquals } from "../assert.ts";

const ADDRESSES = ["127.0.0.1", "::1", "192.168.1.2", "192.168.1.2", "2001:db8::2", "fe80::1"];

Deno.test("a socket bound to one address is reached there, a loopback one too", () => {
  for (const host of ["192.168.1.2", "127.0.0.1"]) {
    assertEquals(localEndpoints({ host, port: 4000 }, ADDRESSES), [{ host, port: 4000 }]);
  }
});

Deno.test("a socket bound to all addresses is reached at each of its families, once, but not through loopback", () => {
  const hosts = (host: string) => localEndpoints({ host, port: 4000 }, ADDRESSES).map((each) => each.host);
  assertEquals(hosts("0.0.0.0"), ["192.168.1.2"]);
  assertEquals(hosts("::"), ["192.168.1.2", "2001:db8::2", "fe80::1"]);
});
