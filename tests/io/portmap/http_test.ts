import { fetchFromGateway, type GatewayRequest, type GatewayResponse } from "../../../lib/io/portmap/http.ts";
import { decodeUtf8, encodeUtf8 } from "../../../lib/wire/bytes.ts";
import { assert, assertEquals } from "../../assert.ts";

/** Asks a server that sends `parts` one after the other and then does nothing, or hangs up. */
async function exchange(
  parts: readonly string[],
  { hangUp = false, ...request }: { readonly hangUp?: boolean } & Partial<GatewayRequest> = {},
): Promise<{ readonly answer: GatewayResponse | string; readonly heard: string }> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const sockets: Deno.TcpConn[] = [];
  let heard = "";
  const serving = (async () => {
    for await (const socket of listener) {
      sockets.push(socket);
      const buffer = new Uint8Array(4096);
      const length = await socket.read(buffer);
      heard += decodeUtf8(buffer.subarray(0, length ?? 0));
      for (const part of parts) await socket.write(encodeUtf8(part)).catch(() => 0);
      if (hangUp) socket.close();
    }
  })();
  const url = new URL(`http://127.0.0.1:${listener.addr.port}/ctl/IPConn?a=b`);
  const answer = await fetchFromGateway({ url, signal: new AbortController().signal, ...request });
  listener.close();
  await serving;
  if (!hangUp) { for (const socket of sockets) socket.close(); }
  return { answer, heard };
}

Deno.test("portmap http: a response ends with its length, its last chunk, or the connection", async () => {
  const whole = { status: 200, body: "abc" };
  const byLength = ["HTTP/1.1 200 OK\r\nContent-Len", "gth: 3\r\n\r\na", "bc"];
  assertEquals((await exchange(byLength)).answer, whole);
  const byChunks = [
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n",
    "2\r\nbc\r\n0\r\n\r\n",
  ];
  assertEquals((await exchange(byChunks)).answer, whole);
  assertEquals((await exchange(["HTTP/1.1 200 OK\r\n\r\nabc"], { hangUp: true })).answer, whole);
  assertEquals((await exchange(["HTTP/1.1 200 OK\r\n"], { hangUp: true })).answer, "malformed");
});

Deno.test("portmap http: a server that never ends is given up, one that sends too much as well", async () => {
  assertEquals((await exchange(["HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc"])).answer, "timeout");
  assertEquals(
    (await exchange(["HTTP/1.1 200 OK\r\n\r\n", ..."x".repeat(70).split("").map((x) => x.repeat(1000))]))
      .answer,
    "too-large",
  );
  const closed = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = closed.addr;
  closed.close();
  const url = new URL(`http://127.0.0.1:${port}/`);
  assertEquals(await fetchFromGateway({ url, signal: new AbortController().signal }), "unreachable");
  assertEquals(await fetchFromGateway({ url, signal: AbortSignal.abort() }), "timeout");
});

Deno.test("portmap http: requests name their host, say how long they are, and close", async () => {
  const answer = ["HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"];
  const get = (await exchange(answer)).heard;
  assert(/^GET \/ctl\/IPConn\?a=b HTTP\/1\.1\r\nHost: 127\.0\.0\.1:\d+\r\n/.test(get), get);
  assert(
    get.includes("\r\nConnection: close\r\n") && get.endsWith("\r\n\r\n") && !get.includes("Content-Length"),
  );
  const post = (await exchange(answer, { body: "<é/>", headers: { SOAPAction: '"a#b"' } })).heard;
  assert(post.startsWith("POST /ctl/IPConn?a=b HTTP/1.1\r\n"));
  assert(
    post.includes('\r\nSOAPAction: "a#b"\r\n') && post.endsWith("\r\nContent-Length: 5\r\n\r\n<é/>"),
    post,
  );
});
