import { readConfig, resolveAgentOptions, resolvePlace, updateConfig } from "../../services/agent/config.ts";
import { absolutePath } from "../../services/agent/paths.ts";
import { PilotError } from "../../lib/wire/error.ts";
import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "../assert.ts";

Deno.test("flag, then environment, then config.json, then built-in", async () => {
  await inTempHome(async (home) => {
    const port = (flag: string | undefined, variable: string | undefined) =>
      resolveAgentOptions({ home, registry: flag, env: env({ PILOT_REGISTRY: variable }) }).registry.port;
    assertEquals(port(undefined, undefined), 9000);
    assertEquals(resolveAgentOptions({ home, env: env({}) }).beacons, [{ host: "127.0.0.1", port: 9001 }]);
    await Deno.writeTextFile(
      `${home}/config.json`,
      '{"registry":"r:3","beacon":"b:4","hostname":"from-file"}',
    );
    assertEquals(port(undefined, undefined), 3);
    assertEquals(port(undefined, "r:2"), 2);
    assertEquals(port("r:1", "r:2"), 1);
    const options = resolveAgentOptions({ home, env: env({ PILOT_BEACON: "[::1]:5" }) });
    assertEquals(options.beacons, [{ host: "::1", port: 5 }]);
    assertEquals(options.hostname, "from-file");
    assertEquals(resolveAgentOptions({ home, hostname: "", env: env({}) }).hostname, "");
  });
});

Deno.test("several beacons: by flags, with commas, or as a list in config.json, at most four", async () => {
  await inTempHome(async (home) => {
    const hosts = (flags: readonly string[] | undefined, variable?: string) =>
      resolveAgentOptions({ home, beacons: flags, env: env({ PILOT_BEACON: variable }) }).beacons
        .map(({ host, port }) => `${host} ${port}`);
    assertEquals(hosts(["a:1", "b:2"]), ["a 1", "b 2"]);
    assertEquals(hosts(undefined, "a:1, [::1]:2,a:1"), ["a 1", "::1 2"]);
    await Deno.writeTextFile(`${home}/config.json`, '{"beacon":["c:3","d:4"]}');
    assertEquals(hosts(undefined), ["c 3", "d 4"]);
    await Deno.writeTextFile(`${home}/config.json`, '{"beacon":["c:3",4]}');
    assertEquals(assertThrows(() => hosts(undefined), PilotError).code, "corrupt_file");
    await Deno.writeTextFile(`${home}/config.json`, "{}");
    const refusal = assertThrows(() => hosts(["a:1,b:1", "c:1", "d:1", "e:1"]), PilotError);
    assertEquals([refusal.code, refusal.message], ["invalid_argument", "5 beacons are more than 4"]);
    assertEquals(assertThrows(() => hosts(["a:1,"]), PilotError).code, "invalid_argument");
  });
});

Deno.test("one home decides all files", async () => {
  await inTempHome((home) => {
    const { transport, ...options } = resolveAgentOptions({ home, env: env({}) });
    assertEquals([transport.transport, transport.compatUrl.href], ["auto", "wss://127.0.0.1/v1/compat"]);
    assertEquals(options, {
      home,
      socket: `${home}/pilot.sock`,
      identity: `${home}/identity.key`,
      trust: `${home}/trust.json`,
      udpPort: `${home}/udp-port`,
      inbox: `${home}/inbox`,
      received: `${home}/received`,
      registry: { host: "127.0.0.1", port: 9000 },
      beacons: [{ host: "127.0.0.1", port: 9001 }],
      listen: { host: "", port: 0 },
      hostname: "",
      owner: "",
      public: false,
      maxDatagram: undefined,
      portMapping: "auto",
      portSearch: "auto",
      log: { level: "info", format: "text", file: undefined },
    });
    const elsewhere = resolveAgentOptions({ home, identity: `${home}/keys/a.key`, env: env({}) });
    assertEquals(elsewhere.trust, `${home}/keys/trust.json`);
    return Promise.resolve();
  });
});

Deno.test("the socket: flag, PILOT_SOCKET, config.json, then beside the home", async () => {
  await inTempHome(async (home) => {
    const socket = (flag?: string, variable?: string) =>
      resolvePlace({ home, socket: flag, env: env({ PILOT_SOCKET: variable, HOME: "/h" }) }).socket;
    assertEquals(socket(), `${home}/pilot.sock`);
    await Deno.writeTextFile(`${home}/config.json`, '{"socket":"~/c.sock"}');
    assertEquals(socket(), "/h/c.sock");
    assertEquals(socket(undefined, "/e.sock"), "/e.sock");
    assertEquals(socket("/f.sock", "/e.sock"), "/f.sock");
    const long = assertThrows(() => socket(`/${"x".repeat(110)}`), PilotError);
    assertEquals(long.code, "invalid_argument");
  });
  assertEquals(resolvePlace({ env: env({ HOME: "/none" }) }).socket, "/tmp/pilot.sock");
  assertEquals(resolvePlace({ env: env({ HOME: "/none" }) }).paths.home, "/none/.pilot");
  assertEquals(
    resolvePlace({ home: "/none/.pilot/", env: env({ HOME: "/none" }) }).socket,
    "/tmp/pilot.sock",
  );
  assertEquals(resolvePlace({ env: env({ HOME: "/none", PILOT_HOME: "/p" }) }).socket, "/p/pilot.sock");
  assertThrows(() => resolvePlace({ env: env({}) }), PilotError, "HOME is not set");
});

Deno.test("an installed identity.json serves while there is no identity.key", async () => {
  await inTempHome(async (home) => {
    await Deno.writeTextFile(`${home}/identity.json`, "{}");
    assertEquals(resolveAgentOptions({ home, env: env({}) }).identity, `${home}/identity.json`);
    await Deno.writeTextFile(`${home}/identity.key`, "{}");
    assertEquals(resolveAgentOptions({ home, env: env({}) }).identity, `${home}/identity.key`);
  });
});

Deno.test("a broken configuration is named and never written over", async () => {
  await inTempHome(async (home) => {
    const path = `${home}/config.json`;
    for (const text of ["{", "", "[]", '"x"', "null", '{"registry":5}', '{"hostname":null}']) {
      await Deno.writeTextFile(path, text);
      const error = assertThrows(() => resolveAgentOptions({ home, env: env({}) }), PilotError);
      assertEquals(error.code, "corrupt_file", text);
      assertStringIncludes(error.message, path);
      if (text.includes(":")) continue;
      assertEquals(
        (await assertRejects(() => updateConfig(path, { key: "hostname", value: "x" }), PilotError)).code,
        "corrupt_file",
      );
      assertEquals(await Deno.readTextFile(path), text);
    }
  });
});

Deno.test("a change keeps what it does not know", async () => {
  await inTempHome(async (home) => {
    const path = `${home}/new/config.json`;
    await updateConfig(path, { key: "hostname", value: "a" });
    assertEquals(JSON.parse(await Deno.readTextFile(path)), { hostname: "a" });
    await Deno.writeTextFile(path, '{"encrypt":true,"webhook":"http://x","hostname":"a","n":{"deep":[1]}}');
    await updateConfig(path, { key: "hostname", value: undefined });
    assertEquals(JSON.parse(await Deno.readTextFile(path)), {
      encrypt: true,
      webhook: "http://x",
      n: { deep: [1] },
    });
    assertEquals(readConfig(path), {});
    assertEquals(((await Deno.stat(path)).mode ?? 0) & 0o077, 0);
  });
});

Deno.test("values that do not parse are refused with a sample", async () => {
  await inTempHome((home) => {
    const table: [object, string][] = [
      [{ registry: "nowhere" }, "registry is not HOST:PORT: nowhere"],
      [{ registry: ":9000" }, "registry is not HOST:PORT"],
      [{ beacons: ["h:0"] }, "beacon is not HOST:PORT"],
      [{ beacons: ["h:70000"] }, "beacon is not HOST:PORT"],
      [{ listen: "x" }, "listen is not HOST:PORT"],
      [{ portMapping: "maybe" }, "port-mapping is not one of auto, off: maybe"],
      [{ portSearch: "maybe" }, "port-search is not one of auto, off: maybe"],
      [{ logLevel: "loud" }, "log-level is not one of debug, info, warn, error"],
    ];
    for (const [flags, message] of table) {
      const error = assertThrows(
        () => resolveAgentOptions({ home, env: env({}), ...flags }),
        PilotError,
        message,
      );
      assertEquals(error.code, "invalid_argument");
    }
    assertEquals(resolveAgentOptions({ home, env: env({}), listen: "[::]:4000" }).listen, {
      host: "::",
      port: 4000,
    });
    return Promise.resolve();
  });
});

Deno.test("paths become absolute", () => {
  const home = env({ HOME: "/h" });
  assertEquals(absolutePath("~/a", home), "/h/a");
  assertEquals(absolutePath("~", home), "/h");
  assertEquals(absolutePath("~a", home), `${Deno.cwd()}/~a`);
  assertEquals(absolutePath("a/../b//c/.", home), `${Deno.cwd()}/b/c`);
  assertEquals(absolutePath("/a/", home), "/a");
});

function env(variables: Record<string, string | undefined>): (name: string) => string | undefined {
  return (name) => variables[name];
}

async function inTempHome(use: (home: string) => Promise<void>): Promise<void> {
  const home = await Deno.makeTempDir();
  try {
    await use(home);
  } finally {
    await Deno.remove(home, { recursive: true });
  }
}

Deno.test("PILOT_MAX_DATAGRAM: bytes within bounds, or an error", async () => {
  await inTempHome((home) => {
    const size = (text: string) =>
      resolveAgentOptions({ home, env: env({ PILOT_MAX_DATAGRAM: text }) }).maxDatagram;
    assertEquals([size(""), size("1222"), size("1252"), size("65507")], [undefined, 1222, 1252, 65507]);
    for (const text of ["1221", "65508", "1e4", "-1", "1252 ", "0x500", "1252.5"]) {
      assertEquals(assertThrows(() => size(text), PilotError).code, "invalid_argument", text);
    }
    return Promise.resolve();
  });
});

/** What a switch is set to by its flag and its variable. */
const SWITCHES: readonly [string, (home: string, flag?: string, text?: string) => string][] = [
  ["port mapping", (home, flag, text) => {
    const variables = env(text === undefined ? {} : { PILOT_PORT_MAPPING: text });
    return resolveAgentOptions({ home, portMapping: flag, env: variables }).portMapping;
  }],
  ["port search", (home, flag, text) => {
    const variables = env(text === undefined ? {} : { PILOT_PORT_SEARCH: text });
    return resolveAgentOptions({ home, portSearch: flag, env: variables }).portSearch;
  }],
];

for (const [name, mode] of SWITCHES) {
  Deno.test(`${name}: the flag, else its variable, else auto`, async () => {
    await inTempHome((home) => {
      assertEquals(
        [
          mode(home),
          mode(home, undefined, ""),
          mode(home, undefined, "off"),
          mode(home, "auto", "off"),
          mode(home, "off", "auto"),
        ],
        ["auto", "auto", "off", "auto", "off"],
      );
      return Promise.resolve();
    });
  });
}
