/** A port that somebody else has: the newcomer says so, and the one that was there first goes on. */

import { assert, assertEquals, assertStringIncludes } from "../assert.ts";
import { freePort, inNetwork } from "./network.ts";
import { at, exists, type Result } from "./process.ts";

/** Asserts that a command named the port that is in use, and what to do about it. */
function assertInUse(result: Result, port: number): void {
  assertEquals(
    [result.code, result.stdout, at(result.json, "code")],
    [1, "", "already_exists"],
    result.stderr,
  );
  assertStringIncludes(String(at(result.json, "message")), String(port));
  assertStringIncludes(String(at(result.json, "message")), "in use");
  assertStringIncludes(String(at(result.json, "hint")), "another port");
}

Deno.test("a second registry on the port is told so, and the first one serves on", async () => {
  await inNetwork({}, async (network) => {
    const other = ["--store", `${network.folder}/other.db`, "--json"];
    for (const listen of [`127.0.0.1:${network.registry}`, `:${network.registry}`]) {
      const second = network.program(["registry", "serve", "--listen", listen, ...other]);
      assertInUse(await second.finished(), network.registry);
    }
    assertEquals(await exists(`${network.folder}/other.db`), false, "a store was made for nothing");
    assertEquals(at(await network.computer("agent-a").start(), "registered"), true);
  });
});

Deno.test("a second registry on the store is told so, and the first one serves on", async () => {
  await inNetwork({ agents: ["agent-a"] }, async (network) => {
    const [, , , , ...store] = network.registryLine();
    const listen = ["--listen", `127.0.0.1:${freePort()}`];
    const second = await network.program(["registry", "serve", ...listen, ...store, "--json"]).finished();
    assertEquals([second.code, at(second.json, "code")], [1, "already_exists"], second.stderr);
    assertStringIncludes(String(at(second.json, "message")), `${network.folder}/registry.db`);
    assertEquals(at(await network.computer("agent-b").start(), "hostname"), "agent-b");
    assertEquals(at(await network.computer("agent-b").data(["find", "agent-a"]), "hostname"), "agent-a");
  });
});

Deno.test("a second beacon on the port is told so, and the first one serves on", async () => {
  await inNetwork({}, async (network) => {
    for (const listen of [`127.0.0.1:${network.beacon}`, `:${network.beacon}`]) {
      const second = network.program(["beacon", "serve", "--listen", listen, "--json"]);
      assertInUse(await second.finished(), network.beacon);
    }
    const agent = network.computer("agent-a");
    await agent.start();
    assertEquals(at(await agent.data(["status"]), "beacon", "reachable"), true);
  });
});

Deno.test("an agent on a port in use says so, in both ways of starting, and leaves nothing behind", async () => {
  const port = freePort();
  await inNetwork({}, async (network) => {
    const [first, second] = [network.computer("agent-a"), network.computer("agent-b")];
    await first.start("--listen", `127.0.0.1:${port}`);
    const line = second.startLine("--listen", `127.0.0.1:${port}`, "--json");
    for (const way of [[], ["--foreground"]]) {
      const result = await second.pilot([...line, ...way]);
      assertInUse({ ...result, stderr: result.stderr, json: lastJson(result.stderr) }, port);
      for (const file of ["pilot.pid", "pilot.sock"]) {
        assertEquals(await exists(`${second.home}/${file}`), false, file);
      }
      assertEquals([...Deno.readDirSync(second.home)].filter(({ name }) => name.startsWith("ready")), []);
    }
    assertEquals(at(await first.data(["status"]), "running"), true);
    assertEquals(at(await second.start(), "registered"), true);
    assert((await first.data(["find", "agent-b"])) !== undefined);
  });
});

/** The last line as JSON: in the foreground the log comes before it. */
function lastJson(text: string): unknown {
  return JSON.parse(text.trimEnd().split("\n").at(-1) ?? "");
}
