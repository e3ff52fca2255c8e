/** Starts that cannot work: the reason at once, and nothing changed on the disk. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "../assert.ts";
import { type Computer, inNetwork } from "./network.ts";
import { at, exists, processesNaming, until } from "./process.ts";

const SETTING = { agents: ["agent-a", "agent-b"], friends: [["agent-a", "agent-b"]] } as const;

/** Asserts that the agent starts neither way, with `corrupt_file` naming `path`, which stays as it is. */
async function assertCorrupt(computer: Computer, path: string, content: string): Promise<void> {
  await Deno.writeTextFile(path, content);
  for (const way of [[], ["--foreground"]]) {
    const { code, stdout, stderr } = await computer.pilot(computer.startLine("--json", ...way));
    const context = `${path} holding ${JSON.stringify(content)}: ${stderr}`;
    assertEquals([code, stdout], [1, ""], context);
    const error: unknown = JSON.parse(stderr.trimEnd().split("\n").at(-1) ?? "");
    assertEquals(at(error, "code"), "corrupt_file", context);
    assertStringIncludes(String(at(error, "message")), path);
    assert(String(at(error, "hint") ?? "") !== "", `no hint: ${context}`);
    assertEquals(await Deno.readTextFile(path), content, "the file was changed");
    await assertNothingRuns(computer);
  }
}

/** Asserts that no process is left here, and no file that a running agent has. */
async function assertNothingRuns(computer: Computer): Promise<void> {
  // A process in the background that has told its failure may need a moment to end.
  await until(`no process at ${computer.name}`, () => processesNaming(computer.home).length === 0);
  for (const name of ["pilot.pid", "pilot.sock"]) {
    assertEquals(await exists(`${computer.home}/${name}`), false, name);
  }
  const reports = [...Deno.readDirSync(computer.home)].filter(({ name }) => /^ready-|\.tmp$/.test(name));
  assertEquals(reports, []);
}

Deno.test("a second start is refused and tells the process that runs", async () => {
  await inNetwork({}, async (network) => {
    const a = network.computer("agent-a");
    const pid = Number(at(await a.data(a.startLine()), "pid"));
    for (const way of [[], ["--foreground"], ["--socket", `${a.home}/other.sock`]]) {
      const refusal = await a.refused(a.startLine(...way));
      assertEquals(refusal.code, "already_exists");
      assertMatch(refusal.message, new RegExp(`already running.*\\(pid ${pid}\\)`));
      assertStringIncludes(refusal.hint, "pilot agent stop");
    }
    const shown = await a.pilot(a.startLine());
    assertMatch(
      shown.stderr,
      new RegExp(`^error: an agent is already running \\(pid ${pid}\\)\nhint:  stop it`),
    );
    assertEquals(await exists(`${a.home}/other.sock`), false);
    const status = await a.data(["status"]);
    assertEquals([at(status, "pid"), at(status, "registry", "connected")], [pid, true]);
    assertEquals(await Deno.readTextFile(`${a.home}/pilot.pid`), String(pid));
  });
});

Deno.test("a stale pid file and a stale socket file are no obstacle", async () => {
  await inNetwork({ agents: ["agent-b"] }, async (network) => {
    const a = network.computer("agent-a");
    await Deno.mkdir(a.home, { mode: 0o700 });
    // A number that nobody has, one of a process that is no agent, and no number at all.
    for (const pid of ["999999999", String(Deno.pid), "nonsense"]) {
      await Deno.writeTextFile(`${a.home}/pilot.pid`, pid);
      assertEquals(at(await a.data(["status"]), "running"), false);
      await Deno.writeTextFile(`${a.home}/pilot.pid`, pid);
      const own = Number(at(await a.data(a.startLine()), "pid"));
      assertEquals(await Deno.readTextFile(`${a.home}/pilot.pid`), String(own));
      assertEquals(at(await a.data(["agent", "stop"]), "pid"), own);
    }
    // A socket that its process left without a word.
    await a.start();
    await a.agent.kill();
    assertEquals([await exists(a.socket), await exists(`${a.home}/pilot.pid`)], [true, true]);
    const dead = await a.refused(["connect", "agent-b", "--message", "x"]);
    assertEquals([dead.code, dead.hint], ["not_running", "pilot agent start"]);
    assertEquals(at(await a.data(["status"]), "running"), false);
    assertEquals(at(await a.data(a.startLine()), "registered"), true);
    assertEquals(at(await a.data(["find", "agent-b"]), "hostname"), "agent-b");
  });
});

Deno.test("whatever lies where the socket should be is never deleted, unless it is a dead socket", async () => {
  await inNetwork({}, async (network) => {
    const a = network.computer("agent-a");
    await Deno.mkdir(a.home, { mode: 0o700 });
    const [file, folder, link] = ["file", "folder", "link"].map((name) => `${network.folder}/${name}`);
    assert(file !== undefined && folder !== undefined && link !== undefined);
    await Deno.writeTextFile(file, "precious");
    await Deno.mkdir(folder);
    await Deno.symlink(file, link);
    for (const path of [file, folder, link]) {
      for (const command of [a.startLine(), a.startLine("--foreground"), ["agent", "stop"]]) {
        const { code, message, hint } = await a.refused([...command, "--socket", path]);
        assertEquals(code, "invalid_argument", message);
        assertStringIncludes(message, `${path} exists and is not a socket`);
        assertStringIncludes(hint, "--socket");
      }
      assert(await exists(path), `${path} was deleted`);
    }
    assertEquals(await Deno.readTextFile(file), "precious");
    await assertNothingRuns(a);
  });
});

Deno.test("a corrupt identity, trust book or configuration stops the start and is left alone", async () => {
  await inNetwork(SETTING, async (network) => {
    const [a, b] = [network.computer("agent-a"), network.computer("agent-b")];
    const node = await a.node();
    await a.agent.end();
    const [identity, trust, config] = ["identity.key", "trust.json", "config.json"].map((name) =>
      `${a.home}/${name}`
    );
    assert(identity !== undefined && trust !== undefined && config !== undefined);
    const [key, book] = [await Deno.readTextFile(identity), await Deno.readTextFile(trust)];

    for (const content of ["", "not a key", key.slice(0, key.length / 2), `${key}${key}`]) {
      await assertCorrupt(a, identity, content);
    }
    await Deno.writeTextFile(identity, key);
    for (
      const content of ["", "{", book.slice(0, book.length / 2), '{"trusted":[{"node_id":"one"}]}', "[]"]
    ) {
      await assertCorrupt(a, trust, content);
    }
    await Deno.writeTextFile(trust, book);
    for (const content of ["{", "[]", '{"hostname":7}']) await assertCorrupt(a, config, content);
    await Deno.remove(config);

    // With the files back, everything is as it was.
    assertEquals(at(await a.start(), "node_id"), node);
    await a.send("agent-b", "restored");
    await b.send("agent-a", "welcome back");
    assertEquals([await a.inbox(), await b.inbox()], [["welcome back"], ["restored"]]);
  });
});

Deno.test("a fatal problem in the background is told by the start itself", async () => {
  await inNetwork({}, async (network) => {
    const a = network.computer("agent-a");
    const cases = [
      [["--listen", "192.0.2.1:0"], "invalid_argument", "192.0.2.1 is not an address of this computer"],
      [["--listen", "nowhere"], "invalid_argument", "nowhere"],
      [["--registry", "nowhere"], "invalid_argument", "nowhere"],
      [["--socket", `${network.folder}/missing/pilot.sock`], "connection_failed", "/missing/pilot.sock"],
      [["--socket", `/tmp/${"x".repeat(120)}`], "invalid_argument", "longer than"],
      [["--identity", `${network.folder}`], "unavailable", network.folder],
    ] as const;
    for (const [flags, code, text] of cases) {
      const refusal = await a.refused(a.startLine(...flags));
      assertEquals(refusal.code, code, refusal.message);
      assertStringIncludes(refusal.message, text);
      assert(refusal.hint !== "", `no hint for: ${refusal.message}`);
      if (await exists(a.home)) await assertNothingRuns(a);
    }
    assertEquals(at(await a.data(a.startLine()), "registered"), true);
  });
});
