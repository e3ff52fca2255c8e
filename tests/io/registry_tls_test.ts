import { assertEquals, assertRejects } from "../assert.ts";
import { ProxySource } from "../../lib/io/proxy_source.ts";
import { RegistryClient } from "../../lib/io/registry_client.ts";
import { encodeBase64 } from "../../lib/wire/bytes.ts";
import { PilotError } from "../../lib/wire/error.ts";
import { KeyRegistry } from "../beacon/key_registry.ts";
import { makeCertificates } from "./certificates.ts";
import { ConnectProxy, TlsFront } from "./foreign_relay.ts";

Deno.test("registry: by TLS, directly and through a proxy by name, and never without verifying", async () => {
  const certificates = await makeCertificates();
  const registry = new KeyRegistry();
  const key = new Uint8Array(32).fill(5);
  registry.keys.set(7, key);
  const front = new TlsFront(Number(registry.address.split(":")[1]), certificates);
  const proxy = new ConnectProxy(front.port);
  const { authority: authorities } = certificates;
  const lookup = async (client: RegistryClient) => {
    const replies = [];
    for (let i = 0; i < 3; i++) replies.push(await client.request({ type: "lookup", node_id: 7 }));
    assertEquals(replies.map((reply) => reply.type === "lookup_ok" && reply.public_key), [
      encodeBase64(key),
      encodeBase64(key),
      encodeBase64(key),
    ]);
    client.close();
  };
  await lookup(
    new RegistryClient({ address: { host: "127.0.0.1", port: front.port }, tls: { authorities } }),
  );
  const proxies = new ProxySource({ proxy: `http://127.0.0.1:${proxy.port}`, env: () => undefined });
  await lookup(
    new RegistryClient({ address: { host: "relay.test", port: 443 }, tls: { authorities, proxies } }),
  );
  assertEquals(proxy.requests, ["CONNECT relay.test:443 HTTP/1.1"]);
  const strict = new RegistryClient({ address: { host: "127.0.0.1", port: front.port }, tls: {} });
  const ask = () => strict.request({ type: "lookup", node_id: 7 });
  await assertRejects(ask, PilotError, "is not trusted");
  strict.close();
  await proxy.close();
  await front.close();
  await registry.close();
});
