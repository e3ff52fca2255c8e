import { mapPort } from "../../../lib/io/portmap/port_mapping.ts";
import { assert, assertEquals } from "../../assert.ts";
import { FakeTime, until, withScene } from "./surroundings.ts";

const ONLY_PCP = { natPmp: false, upnp: false };
const ONLY_NAT_PMP = { pcp: false, upnp: false };
const ONLY_UPNP = { pcp: false, natPmp: false };

Deno.test("portmap: where all three work, PCP makes the one mapping, and the end deletes it", async () => {
  await withScene({}, async ({ router, mapping, changes, time, abort }) => {
    const { gateway, tried, mapping: made } = await mapping.firstTry;
    assertEquals(gateway, "127.0.0.1");
    assert(made !== undefined);
    assertEquals(made, {
      method: "pcp",
      internal: { host: "127.0.0.1", port: 4000 },
      external: { host: "203.0.113.5", port: 4000 },
      scope: "public",
      expires: 7_200_000,
    });
    assertEquals(tried.map(({ method, outcome }) => `${method} ${outcome}`), [
      "pcp mapped",
      "nat-pmp not-needed",
      "upnp not-needed",
    ]);
    await time.asleep();
    abort();
    await mapping.finished;
    assertEquals([...router.table.values()], []);
    assertEquals(router.log.filter((line) => / (map|AddPortMapping)$/.test(line)), ["pcp map"]);
    assertEquals(changes, ["pcp 203.0.113.5:4000"]);
    assertEquals(mapping.current, undefined);
  });
});

for (
  const [traits, method, first] of [
    [ONLY_PCP, "pcp", undefined],
    [ONLY_NAT_PMP, "nat-pmp", "unsupported"],
    [ONLY_UPNP, "upnp", undefined],
  ] as const
) {
  Deno.test(`portmap: a router with nothing but ${method} will do`, async () => {
    await withScene({ traits: { ...traits, external: "100.64.3.4" } }, async ({ router, mapping, abort }) => {
      const { tried } = await mapping.firstTry;
      assertEquals(mapping.current?.method, method);
      assertEquals(mapping.current?.external, { host: "100.64.3.4", port: 4000 });
      // Behind a carrier's NAT: of use to the neighbours only, and said to be so.
      assertEquals(mapping.current?.scope, "shared");
      if (first !== undefined) assertEquals(tried[0]?.outcome, first);
      assertEquals(router.table.get(4000)?.method, method);
      abort();
      await mapping.finished;
      assertEquals(router.table.size, 0);
    });
  });
}

Deno.test("portmap: a router that maps nothing leaves a reason for each protocol, and is asked again, ever more rarely", async () => {
  const traits = { pcp: false, natPmp: false, upnp: false };
  await withScene({ traits }, async ({ router, mapping, time, changes }) => {
    const { tried, mapping: none } = await mapping.firstTry;
    assertEquals(none, undefined);
    assertEquals(tried.map(({ method, outcome }) => `${method} ${outcome}`), [
      "pcp no-answer",
      "nat-pmp no-answer",
      "upnp no-answer",
    ]);
    assert(tried.every(({ detail }) => detail !== ""));
    router.traits.pcp = true;
    await time.pass(30_000);
    await until("the mapping is there", () => mapping.current !== undefined);
    assertEquals(changes, ["pcp 203.0.113.5:4000"]);
  });
});

Deno.test("portmap: refusals are told with the words of the protocol", async () => {
  const traits = { result: 2, fault: () => 606 };
  await withScene({ traits }, async ({ mapping, time }) => {
    const { tried } = await mapping.firstTry;
    assertEquals(tried.map(({ method, outcome, detail }) => `${method} ${outcome}: ${detail}`), [
      "pcp refused: PCP: not authorized",
      "nat-pmp refused: NAT-PMP: not authorized: switched off in the router",
      "upnp refused: UPnP: error 606 Fault",
    ]);
    for (let i = 0; i < 6; i++) {
      const before = time.waits.length;
      await time.pass(900_000);
      await until("it waits again", () => time.waits.length > before);
    }
    assertEquals(time.waits.slice(0, 7), [30_000, 60_000, 120_000, 300_000, 900_000, 900_000, 900_000]);
  });
});

Deno.test("portmap: without a gateway nothing is sent, and renew() looks again at once", async () => {
  const time = new FakeTime();
  const stop = new AbortController();
  let asked = 0;
  const mapping = mapPort({
    internalPort: 4000,
    protocol: "udp",
    signal: stop.signal,
    network: {
      gateway: () => {
        asked++;
        return Promise.resolve(undefined);
      },
      now: time.now,
      pause: time.pause,
      ssdp: () => {
        throw new Error("nobody to ask");
      },
    },
  });
  const { tried, gateway } = await mapping.firstTry;
  assertEquals(gateway, undefined);
  assertEquals(tried.map(({ outcome }) => outcome), ["no-gateway", "no-gateway", "no-gateway"]);
  await time.asleep();
  mapping.renew();
  await until("it looked again", () => asked === 2);
  stop.abort();
  await mapping.finished;
});

for (const [traits, method] of [[ONLY_PCP, "pcp"], [ONLY_NAT_PMP, "nat-pmp"], [ONLY_UPNP, "upnp"]] as const) {
  Deno.test(`portmap: ${method} renews at half of the lifetime`, async () => {
    await withScene(
      { traits: { ...traits, maxLifetimeSecs: 100 }, options: { lifetimeSecs: 100 } },
      async (scene) => {
        const { router, time, mapping, changes } = scene;
        await mapping.firstTry;
        assertEquals(mapping.current?.expires, 100_000);
        const added = () => router.log.filter((line) => / (map|AddPortMapping)$/.test(line)).length;
        const before = added();
        await time.asleep();
        assertEquals(time.waits.at(-1), 50_000);
        await time.pass(50_000);
        await until("it was renewed", () => mapping.current?.expires === 150_000);
        assertEquals(added(), before + 1);
        assertEquals(changes, [`${method} 203.0.113.5:4000`]);
      },
    );
  });

  Deno.test(`portmap: ${method} notices that the router restarted, and maps again`, async () => {
    await withScene({ traits }, async ({ router, time, mapping, changes }) => {
      await mapping.firstTry;
      await time.asleep();
      const wait = time.waits.at(-1) ?? 0;
      router.epochSecs += wait / 1000;
      const asked = router.log.length;
      await time.pass(wait);
      await until("it checked", () => router.log.length > asked);
      assertEquals(router.table.size, 1);
      await time.asleep();
      router.restart();
      router.traits.external = "203.0.113.77";
      await time.pass(wait);
      await until("it is mapped again", () => router.table.get(4000)?.method === method);
      await until("the new address is told", () => changes.length === 2);
      assertEquals(changes[1], `${method} 203.0.113.77:4000`);
    });
  });
}

Deno.test("portmap: a silent router keeps its mapping until it ran out, then it is gone", async () => {
  await withScene({ traits: ONLY_PCP }, async ({ router, time, mapping, changes }) => {
    await mapping.firstTry;
    await time.asleep();
    router.traits.pcp = false;
    // At a half, at three quarters, ... of two hours; each try in vain.
    for (const fraction of [0.5, 0.25]) {
      const waited = time.waits.length;
      await time.pass(7_200_000 * fraction);
      await until("it tried", () => time.waits.length > waited);
      assertEquals(changes, ["pcp 203.0.113.5:4000"]);
    }
    await time.pass(7_200_000);
    await until("it is gone", () => mapping.current === undefined);
    assertEquals(changes, ["pcp 203.0.113.5:4000", "none"]);
  });
});

Deno.test("portmap: renew() renews now; another gateway or source address starts all over", async () => {
  await withScene({ traits: ONLY_NAT_PMP }, async ({ router, time, mapping, changes, where }) => {
    await mapping.firstTry;
    await time.asleep();
    await time.pass(1_000);
    mapping.renew();
    await until("it was renewed", () => mapping.current?.expires === 7_201_000);
    await time.asleep();
    where.gateway = undefined;
    mapping.renew();
    await until("it is gone", () => mapping.report().gateway === undefined);
    assertEquals(mapping.current, undefined);
    where.gateway = "127.0.0.1";
    router.traits.external = "203.0.113.9";
    await time.asleep();
    mapping.renew();
    await until("it is back", () => mapping.current !== undefined);
    assertEquals(changes, ["nat-pmp 203.0.113.5:4000", "none", "nat-pmp 203.0.113.9:4000"]);
  });
});

Deno.test("portmap: an abort in the middle of the first try leaves no mapping behind", async () => {
  for (const natPmp of [false, true]) {
    await withScene({ traits: { natPmp } }, async ({ router, mapping, abort }) => {
      await until("the router was asked", () => router.log.length > 0);
      abort();
      await mapping.finished;
      assertEquals(router.table.size, 0);
      assertEquals(mapping.current, undefined);
    });
  }
});

Deno.test("portmap: with a secret an agent takes up the PCP mapping that it left behind", async () => {
  const secret = Uint8Array.of(1, 2, 3);
  await withScene({ traits: ONLY_PCP, options: { secret } }, async ({ router, mapping }) => {
    await mapping.firstTry;
    const left = [...router.table.values()];
    const again = new AbortController();
    const network = {
      gateway: () => Promise.resolve("127.0.0.1"),
      source: () => Promise.resolve("127.0.0.1"),
      controlPort: router.controlPort,
      ssdp: () => [router.ssdp],
    };
    const start = (options: { readonly secret?: Uint8Array }) =>
      mapPort({ internalPort: 4000, protocol: "udp", signal: again.signal, network, ...options });
    const heir = start({ secret });
    assertEquals((await heir.firstTry).tried[0]?.outcome, "mapped");
    assertEquals([...router.table.values()], left);
    const stranger = start({});
    assertEquals((await stranger.firstTry).tried[0]?.detail, "PCP: not authorized");
    again.abort();
    await Promise.all([heir.finished, stranger.finished]);
  });
});
