/** Messages of every size, alone and together: each is stored once, byte for byte, before it is acknowledged. */

import { decodeBase64, toHex } from "../../lib/wire/bytes.ts";
import { assert, assertEquals, assertStringIncludes } from "../assert.ts";
import { type Computer, inNetwork } from "./network.ts";
import { at } from "./process.ts";

const SETTING = { agents: ["agent-a", "agent-b"], friends: [["agent-a", "agent-b"]] } as const;

/** The messages that lie in the inbox folder, read from the files themselves. */
async function stored(computer: Computer): Promise<{ bytes: number; payload: Uint8Array; file: unknown }[]> {
  const found = [];
  for await (const { name } of Deno.readDir(`${computer.home}/inbox`)) {
    const file: unknown = JSON.parse(await Deno.readTextFile(`${computer.home}/inbox/${name}`));
    const base64 = at(file, "data_b64");
    const payload = typeof base64 === "string"
      ? decodeBase64(base64)
      : new TextEncoder().encode(String(at(file, "data")));
    assert(payload !== undefined, `${name} holds no base64`);
    found.push({ bytes: Number(at(file, "bytes")), payload, file });
  }
  return found;
}

async function sha256(bytes: Uint8Array): Promise<string> {
  return toHex(new Uint8Array(await crypto.subtle.digest("SHA-256", new Uint8Array(bytes))));
}

function randomBytes(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let start = 0; start < length; start += 65_536) {
    crypto.getRandomValues(bytes.subarray(start, Math.min(length, start + 65_536)));
  }
  return bytes;
}

Deno.test("a message of nothing, and one of a single byte", async () => {
  await inNetwork(SETTING, async (network) => {
    const [a, b] = [network.computer("agent-a"), network.computer("agent-b")];
    await a.send("agent-b", "");
    await a.send("agent-b", "1");
    assertEquals(await b.inbox(), ["", "1"]);
    const messages = await stored(b);
    assertEquals(messages.map(({ bytes }) => bytes).sort(), [0, 1]);
    const address = at(await a.data(["info"]), "address");
    for (const { file } of messages) assertEquals(at(file, "from"), address);
    const { stdout } = await b.pilot(["inbox"]);
    assertStringIncludes(stdout, "Inbox (2 messages):\n");
    assertEquals(at(await b.data(["inbox", "--clear"]), "cleared"), 2);
    assertEquals(await b.inbox(), []);
  });
});

Deno.test("10 MB of any bytes and 10 MB of text arrive as they were sent", async () => {
  await inNetwork(SETTING, async (network) => {
    const [a, b] = [network.computer("agent-a"), network.computer("agent-b")];
    const size = 10 * 1024 * 1024;
    const text = new TextEncoder().encode("f\u00fcr alle \u{1f600} ".repeat(Math.floor(size / 15)));
    for (const [name, message] of [["BINARY", randomBytes(size)], ["TEXT", text]] as const) {
      const sent = await a.data(["connect", "agent-b"], { stdin: message });
      assertEquals(at(sent, "ack"), `ACK ${name} ${message.length} bytes`);
      const [only, ...more] = await stored(b);
      assert(only !== undefined && more.length === 0, "not exactly one message");
      assertEquals([only.bytes, at(only.file, "type")], [message.length, name]);
      assertEquals(await sha256(only.payload), await sha256(message));
      assertEquals(at(await b.data(["inbox", "--clear"]), "cleared"), 1);
    }
    // More than a frame can hold is refused before anything is sent.
    const { code, json } = await a.pilot(["connect", "agent-b", "--json"], {
      stdin: new Uint8Array(16 * 1024 * 1024 + 1),
    });
    assertEquals([code, at(json, "code")], [1, "too_large"]);
    assert(String(at(json, "hint")) !== "");
    assertEquals(await b.inbox(), []);
  });
});

Deno.test("three messages at once each way: all arrive whole, none twice", async () => {
  await inNetwork(SETTING, async (network) => {
    const [a, b] = [network.computer("agent-a"), network.computer("agent-b")];
    const messages = [randomBytes(1), randomBytes(300_000), randomBytes(1_000_000)];
    const send = async (from: Computer, to: Computer, message: Uint8Array) => {
      const { code, stderr, json } = await from.pilot(["connect", to.name, "--json"], { stdin: message });
      assertEquals(code, 0, stderr);
      assertStringIncludes(String(at(json, "data", "ack")), ` ${message.length} bytes`);
    };
    await Promise.all(messages.flatMap((message) => [send(a, b, message), send(b, a, message)]));
    const expected = (await Promise.all(messages.map(sha256))).sort();
    for (const computer of [a, b]) {
      const found = await Promise.all((await stored(computer)).map(({ payload }) => sha256(payload)));
      assertEquals(found.sort(), expected, computer.name);
    }
  });
});
