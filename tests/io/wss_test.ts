import { assert, assertEquals, assertMatch } from "../assert.ts";
import { generateIdentity } from "../../lib/crypto/identity.ts";
import { Log } from "../../lib/io/log.ts";
import type { ProxySettings } from "../../lib/io/proxy.ts";
import { ProxySource } from "../../lib/io/proxy_source.ts";
import { systemRandom } from "../../lib/io/random.ts";
import { type CarrierOptions, WssCarrier } from "../../lib/io/wss.ts";
import { fromHex, toHex } from "../../lib/wire/bytes.ts";
import type { PilotError } from "../../lib/wire/error.ts";
import { at, until } from "../e2e/process.ts";
import { makeCertificates } from "./certificates.ts";
import { ConnectProxy, ForeignRelay } from "./foreign_relay.ts";

/** A carrier of node 7, and what it has told. */
class Subject {
  readonly datagrams: string[] = [];
  readonly errors: PilotError[] = [];
  ups = 0;
  node = 7;
  readonly identity = generateIdentity(systemRandom);
  readonly carrier: WssCarrier;

  constructor(url: string, more: Partial<CarrierOptions> = {}) {
    this.carrier = new WssCarrier({
      url: new URL(url),
      identity: this.identity,
      node: () => this.node,
      log: Log.silent,
      hooks: {
        up: () => this.ups++,
        down: (error) => this.errors.push(error),
        datagram: (data) => this.datagrams.push(toHex(data)),
      },
      ...more,
    });
  }

  async isUp(): Promise<void> {
    await until("the carrier is up", () => this.carrier.isUp);
  }

  async fails(pattern: RegExp): Promise<PilotError> {
    await until(`it fails: ${pattern}`, () => this.errors.some(({ message }) => pattern.test(message)));
    const error = this.errors.find(({ message }) => pattern.test(message));
    assert(error !== undefined);
    return error;
  }
}

const proxied = (settings: Partial<ProxySettings>) =>
  new ProxySource({ proxy: "auto", env: () => undefined, ...settings });

Deno.test("carrier: logs in at a foreign beacon, byte for byte, and carries datagrams", async () => {
  const relay = new ForeignRelay();
  const subject = new Subject(`ws://127.0.0.1:${relay.port}/v1/compat`);
  await subject.isUp();
  const reply: unknown = JSON.parse(relay.reply);
  assert(typeof reply === "object" && reply !== null);
  assertEquals(Object.keys(reply).sort(), ["node_id", "public_key", "sig", "type"]);
  assertEquals([at(reply, "type"), at(reply, "node_id")], ["auth_reply", 7]);
  assert(subject.carrier.send(fromHex("050000000700000008aa")));
  await until("it arrives", () => relay.heard.length === 1);
  assertEquals(relay.heard, ["050000000700000008aa"]);
  relay.sockets[0]?.send(fromHex("0600000008bb"));
  await until("the answer arrives", () => subject.datagrams.length === 1);
  assertEquals(subject.datagrams, ["0600000008bb"]);
  await subject.carrier.close();
  assertEquals(subject.carrier.send(fromHex("05")), false);
  await relay.close();
});

Deno.test("carrier: a beacon of the first version, without a time in the challenge", async () => {
  const relay = new ForeignRelay();
  relay.manners.challenge = `{"type":"auth_challenge","nonce":"${"0a".repeat(16)}"}`;
  relay.manners.verdict = () => `{"type":"auth_ok"}`;
  const subject = new Subject(`ws://127.0.0.1:${relay.port}/v1/compat`);
  await subject.isUp();
  await subject.carrier.close();
  await relay.close();
});

Deno.test("carrier: comes back after every failure, and with another id when it has one", async () => {
  const relay = new ForeignRelay();
  const subject = new Subject(`ws://127.0.0.1:${relay.port}/v1/compat`);
  await subject.isUp();
  relay.sockets[0]?.close();
  await until("it has logged in again", () => relay.logins === 2 && subject.carrier.isUp);
  await subject.fails(/has hung up/);
  subject.node = 9;
  subject.carrier.restart();
  await until("it has logged in as 9", () => relay.logins === 3 && subject.carrier.isUp);
  assertEquals(at(JSON.parse(relay.reply), "node_id"), 9);
  await subject.carrier.close();
  await relay.close();
});

Deno.test("carrier: hostile and broken beacons are told apart, and tried again", async () => {
  const relay = new ForeignRelay();
  const { manners } = relay;
  const honest = manners.challenge;
  manners.challenge = `{"type":"auth_challenge","nonce":"short","ts":1}`;
  const times = { login: 1_000 };
  const subject = new Subject(`ws://127.0.0.1:${relay.port}/v1/compat`, { times });
  await subject.fails(/login is not that of a Pilot beacon/);
  manners.challenge = undefined;
  await subject.fails(/did not finish the login in time/);
  manners.challenge = honest;
  manners.verdict = () => `{"type":"auth_error","error":"go away\\u001b[31m"}`;
  assertMatch((await subject.fails(/refuses the login/)).message, /go away\?\[31m$/);
  subject.carrier.restart();
  manners.verdict = () => "x".repeat(70_000);
  await subject.fails(/payload|hung up/i);
  subject.carrier.restart();
  manners.verdict = undefined;
  manners.status = 302;
  assertMatch((await subject.fails(/something else than a beacon/)).hint ?? "", /login/);
  manners.status = 503;
  subject.carrier.restart();
  await subject.fails(/answers 503/);
  manners.status = undefined;
  subject.carrier.restart();
  await subject.isUp();
  await subject.carrier.close();
  await relay.close();
});

Deno.test("carrier: nobody there, then somebody", async () => {
  const relay = new ForeignRelay();
  const { port } = relay;
  await relay.close();
  const subject = new Subject(`ws://127.0.0.1:${port}/v1/compat`);
  const error = await subject.fails(/no connection to 127\.0\.0\.1/);
  assertEquals(error.code, "connection_failed");
  await subject.carrier.close();
});

Deno.test("carrier: a connection that has died without a word is noticed by a ping", async () => {
  const relay = new ForeignRelay();
  const proxy = new ConnectProxy(relay.port);
  const subject = new Subject(`ws://127.0.0.1:${relay.port}/v1/compat`, {
    times: { ping: 500, pong: 400 },
    proxies: proxied({ proxy: `http://127.0.0.1:${proxy.port}` }),
  });
  await subject.isUp();
  proxy.isFrozen = true;
  await subject.fails(/does not answer any more/);
  proxy.isFrozen = false;
  await until("it has logged in again", () => relay.logins >= 2 && subject.carrier.isUp);
  await subject.carrier.close();
  await proxy.close();
  await relay.close();
});

Deno.test("carrier: somebody who takes the connection and says nothing", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const accepted = listener.accept();
  const subject = new Subject(`ws://127.0.0.1:${listener.addr.port}/v1/compat`, { times: { login: 200 } });
  await subject.fails(/did not finish the login in time/);
  await subject.carrier.close();
  (await accepted).close();
  listener.close();
});

Deno.test("carrier: TLS is verified, with an authority of one's own where there is one", async () => {
  const certificates = await makeCertificates();
  const relay = new ForeignRelay(certificates);
  const url = `wss://127.0.0.1:${relay.port}/v1/compat`;
  const strict = new Subject(url);
  const error = await strict.fails(/certificate of 127\.0\.0\.1:\d+ is not trusted/);
  assertMatch(error.hint ?? "", /--tls-ca/);
  await strict.carrier.close();
  const trusting = new Subject(url, { authorities: certificates.authority });
  await trusting.isUp();
  await trusting.carrier.close();
  await relay.close();
});

Deno.test("carrier: a certificate of an authority in place of a server's is called that", async () => {
  const { authority, authorityKey } = await makeCertificates();
  const relay = new ForeignRelay({ cert: authority, key: authorityKey });
  const url = `wss://127.0.0.1:${relay.port}/v1/compat`;
  const subject = new Subject(url, { authorities: authority });
  const error = await subject.fails(/shows the certificate of an authority as its own/);
  assertMatch(error.hint ?? "", /CA:FALSE/);
  await subject.carrier.close();
  await relay.close();
});

Deno.test("carrier: through a proxy by name, over TLS, with credentials that change", async () => {
  const certificates = await makeCertificates();
  const relay = new ForeignRelay(certificates);
  const proxy = new ConnectProxy(relay.port);
  proxy.credentials = "agent:p@ss%w:1";
  const file = await Deno.makeTempFile();
  const credentials = async (text: string) =>
    await Deno.writeTextFile(file, `http://${text}@127.0.0.1:${proxy.port}\n`);
  await credentials("agent:p@ss%25w:1");
  // The name exists nowhere but at the proxy.
  const subject = new Subject("wss://relay.test/v1/compat", {
    authorities: certificates.authority,
    proxies: proxied({ command: `cat ${file}` }),
  });
  await subject.isUp();
  assertEquals(proxy.requests, ["CONNECT relay.test:443 HTTP/1.1"]);
  proxy.credentials = "agent:second";
  await credentials("agent:second");
  relay.sockets[0]?.close();
  await until("it has logged in again", () => relay.logins === 2 && subject.carrier.isUp);
  // The old credentials were still believed, were refused, and the command was asked again.
  assertEquals(proxy.requests.length, 3);
  await subject.carrier.close();
  await Deno.remove(file);
  await proxy.close();
  await relay.close();
});

Deno.test("carrier: a certificate for another name is refused behind a proxy, too", async () => {
  const certificates = await makeCertificates();
  const relay = new ForeignRelay(certificates);
  const proxy = new ConnectProxy(relay.port);
  const subject = new Subject("wss://elsewhere.test/v1/compat", {
    authorities: certificates.authority,
    proxies: proxied({ proxy: `http://127.0.0.1:${proxy.port}` }),
  });
  await subject.fails(/certificate of elsewhere\.test:443 is not trusted/);
  await subject.carrier.close();
  await proxy.close();
  await relay.close();
});

Deno.test("carrier: what a proxy refuses is said without its password", async () => {
  const relay = new ForeignRelay();
  const proxy = new ConnectProxy(relay.port);
  const settings = { proxy: `http://me:secret@127.0.0.1:${proxy.port}` };
  proxy.status = 407;
  const subject = new Subject(`ws://relay.test/v1/compat`, { proxies: proxied(settings) });
  const unwelcome = await subject.fails(/wants other credentials/);
  assertMatch(unwelcome.hint ?? "", /--proxy-cmd/);
  proxy.status = 403;
  await subject.fails(/answers 403/);
  for (const { message, hint } of subject.errors) assert(!`${message}${hint}`.includes("secret"));
  proxy.status = undefined;
  await subject.isUp();
  await subject.carrier.close();
  await proxy.close();
  await relay.close();
});
