import { assertEquals, assertRejects, assertThrows } from "../assert.ts";
import { isExempt, parseProxy, proxyFor } from "../../lib/io/proxy.ts";
import { ProxySource } from "../../lib/io/proxy_source.ts";
import { PilotError } from "../../lib/wire/error.ts";

const TARGET = { host: "relay.example", port: 443 };

Deno.test("proxy: URLs in all their forms", () => {
  const cases: [string, string, number, string | undefined][] = [
    ["http://proxy.example:3128", "proxy.example", 3128, undefined],
    ["proxy.example:3128", "proxy.example", 3128, undefined],
    ["http://proxy.example", "proxy.example", 80, undefined],
    ["http://Proxy.Example/", "proxy.example", 80, undefined],
    ["http://u:p@10.0.0.1:1", "10.0.0.1", 1, "u:p"],
    ["http://u:p@ss@w@[::1]:1", "::1", 1, "u:p@ss@w"],
    ["http://u%40x:%20p%25@h:1", "h", 1, "u@x: p%"],
    ["http://u:100%@h:1", "h", 1, "u:100%"],
    ["http://u:%ff@h:1", "h", 1, "u:%ff"],
  ];
  for (const [text, host, port, credentials] of cases) {
    assertEquals(parseProxy(text), { host, port, credentials }, text);
  }
});

Deno.test("proxy: what is none is refused without showing the password", () => {
  for (
    const text of [
      "",
      "http://",
      "socks5://me:secret@h:1",
      "https://me:secret@h:1",
      "http://me:secret@",
      "http://me:secret@h:x",
      "http://h:0",
    ]
  ) {
    const error = assertThrows(() => parseProxy(text), PilotError);
    assertEquals([error.code, error.message.includes("secret")], ["invalid_argument", false], text);
  }
});

Deno.test("proxy: the environment, and what it exempts", () => {
  const chosen = (env: Record<string, string>, host = TARGET.host) =>
    proxyFor({ host, port: 443 }, { proxy: "auto", env: (name) => env[name] })?.host;
  assertEquals(chosen({}), undefined);
  assertEquals(chosen({ HTTPS_PROXY: "http://a", ALL_PROXY: "http://b" }), "a");
  assertEquals(chosen({ HTTPS_PROXY: "", all_proxy: "http://b" }), "b");
  assertEquals(chosen({ https_proxy: "http://c", NO_PROXY: "example" }), undefined);
  assertEquals(chosen({ https_proxy: "http://c" }, "localhost"), undefined);
  assertEquals(proxyFor(TARGET, { proxy: "off", env: () => "http://a" }), undefined);
  assertEquals(proxyFor({ host: "localhost", port: 1 }, { proxy: "http://d:1", env: () => "*" })?.host, "d");
});

Deno.test("proxy: NO_PROXY", () => {
  const cases: [string, string, boolean][] = [
    ["relay.example", "", false],
    ["relay.example", "*", true],
    ["relay.example", "other, relay.example", true],
    ["relay.example", ".example", true],
    ["relay.example", "*.example", true],
    ["relay.example", "lay.example", false],
    ["RELAY.example", "Example", true],
    ["relay.example", "relay.example:443", true],
    ["relay.example", "relay.example:80", false],
    ["10.1.2.3", "10.0.0.0/8", true],
    ["11.1.2.3", "10.0.0.0/8", false],
    ["10.1.2.3", "10.1.2.0/23", true],
    ["10.1.4.3", "10.1.2.0/23", false],
    ["10.1.2.3", "10.1.2.3", true],
    ["10.1.2.3", "2.3", false],
    ["10.1.2.3", "10.0.0.0/x", false],
    ["10.1.2.3", "0.0.0.0/0", true],
    ["2001:db8::5", "2001:db8::/32", true],
    ["2001:db9::5", "2001:db8::/32", false],
    ["2001:db8::5", "[2001:db8::5]:443", true],
    ["127.0.0.9", "", true],
  ];
  for (const [host, list, expected] of cases) {
    assertEquals(isExempt({ host, port: 443 }, list), expected, `${host} in ${list}`);
  }
});

Deno.test("proxy: the answer of a command is kept until it is to be fresh; failures are clear", async () => {
  const folder = await Deno.makeTempDir();
  const count = `echo x >> ${folder}/n; echo http://h:$(wc -l < ${folder}/n)`;
  const source = (command: string) => new ProxySource({ proxy: "auto", command, env: () => undefined });
  const counting = source(count);
  const ports = [
    await counting.get(TARGET),
    await counting.get(TARGET),
    await counting.get(TARGET, { fresh: true }),
  ];
  assertEquals(ports.map((proxy) => proxy?.port), [1, 1, 2]);
  for (
    const [command, text] of [["exit 3", "status 3"], ["true", "printed nothing"], [
      "echo ftp://x",
      "ftp",
    ]] as const
  ) {
    await assertRejects(() => source(command).get(TARGET), PilotError, text);
  }
  const off = new ProxySource({ proxy: "off", command: "echo http://h:1", env: () => "http://a" });
  assertEquals([await off.get(TARGET), off.isConfigured(TARGET)], [undefined, false]);
  await Deno.remove(folder, { recursive: true });
});
