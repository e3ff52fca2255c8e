import { Log } from "../../lib/io/log.ts";
import { mapPort, type MapPortOptions } from "../../lib/io/portmap/port_mapping.ts";
import type { Endpoint } from "../../lib/wire/endpoint.ts";
import type { SwitchMode } from "../../services/agent/config.ts";
import { keepPortMapped } from "../../services/agent/port_mapping.ts";
import { assertEquals } from "../assert.ts";
import { FakeRouter } from "../io/portmap/router.ts";
import { until } from "../io/portmap/surroundings.ts";

/** What surrounds the keeper; tests change it. */
interface World {
  reflexive: Endpoint | undefined;
  source: string;
  own: string[];
  /** How often the keeper looked. */
  polls: number;
}

/** Runs a keeper at a fake router; what it told the node is in `told`. */
async function withKeeper(
  mode: SwitchMode,
  body: (scene: {
    readonly router: FakeRouter;
    readonly told: (string | undefined)[];
    readonly world: World;
    readonly keeper: ReturnType<typeof keepPortMapped>;
    stop(): Promise<void>;
  }) => Promise<void>,
): Promise<void> {
  const router = new FakeRouter({ upnp: false });
  const told: (string | undefined)[] = [];
  const world: World = { reflexive: undefined, source: "127.0.0.1", own: ["127.0.0.1"], polls: 0 };
  const end = new AbortController();
  const keeper = keepPortMapped({
    mode,
    local: { host: "0.0.0.0", port: 4000 },
    reflexive: () => {
      world.polls++;
      return world.reflexive;
    },
    tell: (mapped) => told.push(mapped === undefined ? undefined : `${mapped.host}:${mapped.port}`),
    seed: new Uint8Array(32),
    log: Log.silent,
    signal: end.signal,
    surroundings: {
      isLocal: (host) => world.own.includes(host),
      source: () => Promise.resolve(world.source),
      pollMs: 5,
      mapPort: (options: MapPortOptions) =>
        mapPort({
          ...options,
          network: {
            gateway: () => Promise.resolve("127.0.0.1"),
            source: () => Promise.resolve("127.0.0.1"),
            controlPort: router.controlPort,
            ssdp: () => [router.ssdp],
          },
        }),
    },
  });
  const stop = async () => {
    end.abort();
    await keeper.finished;
  };
  try {
    await body({ router, told, world, keeper, stop });
  } finally {
    await stop();
    await router.close();
  }
}

Deno.test("port mapping: behind a NAT the router is asked, the node told, and the mapping deleted at the end", async () => {
  await withKeeper("auto", async ({ router, told, world, keeper, stop }) => {
    await until("it looked twice", () => world.polls >= 2);
    assertEquals(keeper.report(), undefined);
    world.reflexive = { host: "203.0.113.5", port: 61_000 };
    await until("the node was told", () => told.length > 0);
    assertEquals(told, ["203.0.113.5:4000"]);
    assertEquals(keeper.report()?.mapping?.method, "pcp");
    await stop();
    assertEquals(router.table.size, 0);
    assertEquals(told, ["203.0.113.5:4000"]);
  });
});

Deno.test("port mapping: another source address renews it, and without a NAT it is given back", async () => {
  await withKeeper("auto", async ({ router, told, world, keeper }) => {
    world.reflexive = { host: "203.0.113.5", port: 61_000 };
    await until("the node was told", () => told.length > 0);
    const asked = () => router.log.filter((line) => line === "pcp map").length;
    const before = asked();
    world.source = "192.168.1.9";
    await until("it was renewed", () => asked() > before);
    // The beacon fell silent: no reason to give anything up.
    world.reflexive = undefined;
    const polls = world.polls;
    await until("it looked twice", () => world.polls >= polls + 2);
    assertEquals(router.table.size, 1);
    world.reflexive = { host: "127.0.0.1", port: 4000 };
    await until("the node was told again", () => told.length > 1);
    assertEquals(told, ["203.0.113.5:4000", undefined]);
    assertEquals(router.table.size, 0);
    await until("there is nothing to report", () => keeper.report() === undefined);
  });
});

Deno.test("port mapping: no router is asked without a NAT, nor when it is switched off", async () => {
  await withKeeper("auto", async ({ router, world }) => {
    world.reflexive = { host: "127.0.0.1", port: 4000 };
    await until("it looked a few times", () => world.polls >= 5);
    assertEquals(router.log, []);
  });
  await withKeeper("off", async ({ router, world, keeper }) => {
    world.reflexive = { host: "203.0.113.5", port: 61_000 };
    await keeper.finished;
    assertEquals([world.polls, router.log.length, keeper.report()], [0, 0, undefined]);
  });
});
