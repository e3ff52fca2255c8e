import { encodeUtf8 } from "../../../lib/wire/bytes.ts";
import { assert, assertEquals } from "../../assert.ts";
import { SeededRandom } from "../../sim/random.ts";
import { ok } from "./router.ts";
import { SHORT, withScene } from "./surroundings.ts";

const ONLY_PCP = { natPmp: false, upnp: false };
const ONLY_NAT_PMP = { pcp: false, upnp: false };
const ONLY_UPNP = { pcp: false, natPmp: false };

Deno.test("portmap: answers with another nonce, port or operation are ignored, the right one after them counts", async () => {
  const change = (data: Uint8Array, at: number) => {
    const copy = data.slice();
    copy[at] = (copy[at] ?? 0) ^ 1;
    return copy;
  };
  const noise = (data: Uint8Array, at: readonly number[]) => [
    ...Array.from({ length: Math.min(data.length, 8) }, (_, length) => data.slice(0, length)),
    ...at.filter((index) => index < data.length).map((index) => change(data, index)),
    data,
  ];
  const pcp = { ...ONLY_PCP, answer: (data: Uint8Array) => noise(data, [1, 24, 35, 36, 41]) };
  await withScene({ traits: pcp }, async ({ mapping }) => {
    assertEquals((await mapping.firstTry).mapping?.external, { host: "203.0.113.5", port: 4000 });
  });
  const natPmp = { ...ONLY_NAT_PMP, answer: (data: Uint8Array) => noise(data, [1]) };
  await withScene({ traits: natPmp }, async ({ mapping }) => {
    assertEquals((await mapping.firstTry).mapping?.external, { host: "203.0.113.5", port: 4000 });
  });
});

Deno.test("portmap: answers from another port than that of the gateway are ignored", async () => {
  const mouth = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  await withScene({ traits: { upnp: false, mouth }, retransmitMs: SHORT }, async ({ router, mapping }) => {
    assertEquals((await mapping.firstTry).tried.map(({ outcome }) => outcome), [
      "no-answer",
      "no-answer",
      "no-answer",
    ]);
    assert(router.log.includes("pcp map"));
  });
  mouth.close();
});

Deno.test("portmap: claims of impossible addresses, ports and lifetimes come to nothing", async () => {
  for (const external of ["0.0.0.0", "224.0.0.1", "127.0.0.1"]) {
    await withScene({ traits: { upnp: false, external } }, async ({ mapping }) => {
      const { tried, mapping: made } = await mapping.firstTry;
      assertEquals(made, undefined, external);
      assertEquals(tried[0]?.outcome, "no-address", external);
    });
  }
  await withScene({ traits: { ...ONLY_PCP, maxLifetimeSecs: 0 } }, async ({ mapping }) => {
    assertEquals((await mapping.firstTry).tried[0]?.outcome, "malformed");
  });
  // One second would make us ask for ever: it counts as a minute.
  await withScene({ traits: { ...ONLY_PCP, maxLifetimeSecs: 1 } }, async ({ mapping }) => {
    assertEquals((await mapping.firstTry).mapping?.expires, 60_000);
  });
});

Deno.test("portmap: a UPnP answer that leads elsewhere is not followed", async () => {
  const other = Deno.listen({ hostname: "127.0.0.2", port: 0 });
  let calls = 0;
  const serving = (async () => {
    for await (const socket of other) {
      calls++;
      socket.close();
    }
  })();
  const elsewhere = `http://127.0.0.2:${other.addr.port}/desc.xml`;
  await withScene(
    { traits: { ...ONLY_UPNP, location: elsewhere }, retransmitMs: SHORT },
    async ({ mapping }) => {
      assertEquals((await mapping.firstTry).tried[2]?.outcome, "no-answer");
    },
  );
  const redirect = () => `HTTP/1.1 301 Moved\r\nLocation: ${elsewhere}\r\nContent-Length: 0\r\n\r\n`;
  await withScene({ traits: { ...ONLY_UPNP, http: redirect } }, async ({ mapping }) => {
    const [, , upnp] = (await mapping.firstTry).tried;
    assertEquals(upnp?.outcome, "malformed");
    assert(upnp?.detail.includes("HTTP 301"));
  });
  const control = (text: string) => text.replace(/<controlURL>\/ctl\/IPConn/, `<controlURL>${elsewhere}`);
  const http = (text: string) => {
    const body = control(text).split("\r\n\r\n")[1] ?? "";
    return ok(body);
  };
  await withScene({ traits: { ...ONLY_UPNP, http } }, async ({ mapping }) => {
    assertEquals((await mapping.firstTry).tried[2]?.outcome, "unsupported");
  });
  other.close();
  await serving;
  assertEquals(calls, 0);
});

Deno.test("portmap: UPnP responses without end, or that are no documents, end in a reason", async () => {
  const cases = {
    "too-large": () => `HTTP/1.1 200 OK\r\n\r\n${"<a>".repeat(40_000)}`,
    "malformed": () => "nonsense",
    "not readable": () => ok("<root>"),
    "maps no ports": () => ok("<root/>"),
  };
  for (const [detail, http] of Object.entries(cases)) {
    await withScene({ traits: { ...ONLY_UPNP, http } }, async ({ mapping }) => {
      const [, , upnp] = (await mapping.firstTry).tried;
      assert(upnp?.detail.includes(detail), `${detail}: ${upnp?.detail}`);
    });
  }
});

Deno.test("portmap: UPnP routers with permanent leases, taken ports or ports of their own choice will do", async () => {
  const permanent = (args: ReadonlyMap<string, string>) =>
    args.get("NewLeaseDuration") === "0" ? undefined : 725;
  await withScene({ traits: { ...ONLY_UPNP, fault: permanent } }, async ({ router, mapping }) => {
    assertEquals((await mapping.firstTry).mapping?.expires, 7_200_000);
    assertEquals(router.table.get(4000)?.lifetimeSecs, 0);
  });
  const taken = (args: ReadonlyMap<string, string>) =>
    args.get("NewExternalPort") === "4000" ? 718 : undefined;
  await withScene({ traits: { ...ONLY_UPNP, fault: taken } }, async ({ router, mapping }) => {
    const made = (await mapping.firstTry).mapping;
    assert(made !== undefined && made.external.port >= 1024);
    assertEquals(router.table.get(4000)?.externalPort, made.external.port);
  });
  await withScene({ traits: { ...ONLY_UPNP, version: 2 } }, async ({ router, mapping }) => {
    assertEquals((await mapping.firstTry).mapping?.external, { host: "203.0.113.5", port: 4001 });
    assert(router.log.includes("upnp AddAnyPortMapping"));
  });
});

Deno.test("portmap: a router that answers with noise makes no mapping and no harm", async () => {
  const seed = 1900;
  console.log(`seed ${seed}`);
  const random = new SeededRandom(seed);
  const traits = {
    answer: (data: Uint8Array) =>
      Array.from({ length: 20 }, () => {
        const noise = random.bytes(new Uint8Array(random.int(70)));
        // Never our nonce, and never an answer that could be true.
        return Uint8Array.of(data[0] ?? 0, 0x80 | random.int(3), ...noise).subarray(0, random.int(7));
      }),
    http: (text: string) => {
      const bytes = encodeUtf8(text).slice(0, random.int(text.length));
      return new TextDecoder().decode(bytes);
    },
  };
  await withScene({ traits, retransmitMs: SHORT }, async ({ mapping }) => {
    const { mapping: made, tried } = await mapping.firstTry;
    assertEquals(made, undefined);
    assert(tried.every(({ outcome }) => outcome !== "mapped" && outcome !== "not-needed"));
  });
});
