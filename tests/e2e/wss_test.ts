import { assertEquals, assertMatch } from "../assert.ts";
import { makeCertificates } from "../io/certificates.ts";
import { ConnectProxy } from "../io/foreign_relay.ts";
import { befriend, freePort, inNetwork, type Network } from "./network.ts";
import { at, until } from "./process.ts";

interface Relay {
  readonly port: number;
  /** The file of its authority. */
  readonly authority: string;
}

/** Registry, and a beacon with a relay over WebSocket and TLS. */
async function withRelay(story: (network: Network, relay: Relay) => Promise<void>): Promise<void> {
  await inNetwork({ infrastructure: false }, async (network) => {
    const { authority, cert, key } = await makeCertificates();
    const file = (name: string) => `${network.folder}/${name}.pem`;
    await Deno.writeTextFile(file("ca"), authority);
    await Deno.writeTextFile(file("cert"), cert);
    await Deno.writeTextFile(file("key"), key);
    await network.startRegistry();
    const port = freePort();
    const beacon = network.program([
      ...["beacon", "serve", "--listen", `127.0.0.1:${network.beacon}`],
      ...["--registry", `127.0.0.1:${network.registry}`, "--wss", `127.0.0.1:${port}`],
      ...["--tls-cert", file("cert"), "--tls-key", file("key")],
    ]);
    await beacon.ready(/Relay over WebSocket/);
    await story(network, { port, authority: file("ca") });
  });
}

const flags = ({ port, authority }: Relay, host = "127.0.0.1") => [
  ...["--transport", "wss", "--compat-url", `wss://${host}:${port}/v1/compat`, "--tls-ca", authority],
];

Deno.test("two agents without UDP trust each other and exchange messages through the relay", async () => {
  await withRelay(async (network, relay) => {
    const [a, b] = [network.computer("a"), network.computer("b")];
    await Promise.all([a.start(...flags(relay)), b.start(...flags(relay))]);
    await befriend(a, b);
    await a.send("b", "hello without UDP");
    await b.send("a", "x".repeat(100_000));
    assertEquals(await b.inbox(), ["hello without UDP"]);
    const info = await a.data(["info"]);
    assertEquals([at(info, "transport"), at(info, "beacon", "reachable")], ["wss", true]);
    assertEquals([at(info, "peer_list", 0, "path"), at(info, "strategy")], ["relay", "relay"]);
    const { stdout } = await a.pilot(["status"]);
    assertMatch(stdout, /Transport: +relay over WebSocket for 00:/);
  });
});

Deno.test("an agent without UDP and one with it exchange messages, from the background and through a proxy, too", async () => {
  await withRelay(async (network, relay) => {
    const [a, b] = [network.computer("a"), network.computer("b")];
    const proxy = new ConnectProxy(relay.port);
    proxy.credentials = "me:secret";
    const url = `http://me:secret@127.0.0.1:${proxy.port}`;
    await b.start();
    // The name exists nowhere but at the proxy.
    const line = [...a.startLine(...flags(relay, "relay.test"), "--proxy", url), "--json"];
    const started = await a.pilot(line);
    assertEquals([started.code, started.stderr], [0, ""]);
    await befriend(a, b);
    await a.send("b", "to UDP");
    await b.send("a", "from UDP");
    assertEquals([await b.inbox(), await a.inbox()], [["to UDP"], ["from UDP"]]);
    assertEquals(at(await b.data(["info"]), "transport"), "udp");
    const pid = Number(at(await a.data(["info"]), "pid"));
    assertEquals(Deno.readTextFileSync(`/proc/${pid}/cmdline`).includes("secret"), false);
    await a.data(["agent", "stop"]);
    await proxy.close();
  });
});

Deno.test("an agent whose beacon is silent on UDP takes the relay by itself", async () => {
  await withRelay(async (network, relay) => {
    const a = network.computer("a");
    const [, , ...more] = flags(relay);
    await a.start(...more, "--beacon", `127.0.0.1:${freePort()}`);
    await until("it takes the relay", async () => {
      const info = await a.data(["info"]);
      return at(info, "transport") === "wss" && at(info, "beacon", "reachable") === true;
    });
  });
});

Deno.test("settings of the transport that make no sense are refused", async () => {
  await inNetwork({ infrastructure: false }, async (network) => {
    const a = network.computer("a");
    const cases: [string[], RegExp][] = [
      [["--transport", "tcp"], /transport is not one of auto, udp, wss/],
      [["--compat-url", "https://x/"], /not the URL of a relay/],
      [["--proxy", "socks5://x:1"], /proxies of kind socks5/],
      [["--tls-ca", "/nowhere.pem"], /cannot read \/nowhere\.pem/],
    ];
    for (const [more, pattern] of cases) {
      assertMatch((await a.refused(a.startLine(...more))).message, pattern);
    }
  });
});
