/** Starting and stopping real agents. No registry runs here: an agent must live without one. */

import { type Finished, inTempFolder, pilot, startPilot } from "./program.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../assert.ts";

const NOWHERE = ["--registry", "127.0.0.1:1", "--beacon", "127.0.0.1:1", "--listen", "127.0.0.1:0"];

Deno.test("start, status, second start, stop", async () => {
  await withHome(async (home, run) => {
    const started = await run("agent", "start", "--hostname", "agent-a", ...NOWHERE);
    assertEquals(started.code, 0, started.stderr);
    assertMatch(started.stdout, /^✓ Identity generated \(Ed25519\)\n/);
    assertMatch(started.stdout, /\n✗ Not registered at 127\.0\.0\.1:1: .+\n/);
    assertMatch(started.stdout, /\n✓ NAT type: \w+/);
    assertStringIncludes(started.stdout, `✓ Listening on ${home}/pilot.sock\n`);
    const pid = Number(/\n {2}pid (\d+)\n/.exec(started.stdout)?.[1]);
    assertStringIncludes(started.stdout, `  log ${home}/pilot.log\n`);
    assertEquals(await Deno.readTextFile(`${home}/pilot.pid`), String(pid));
    for (const file of ["pilot.pid", "pilot.log", "identity.key", "pilot.sock"]) {
      assertEquals(((await Deno.stat(`${home}/${file}`)).mode ?? 0) & 0o077, 0, file);
    }
    const names = [...Deno.readDirSync(home)].map((entry) => entry.name).filter((name) =>
      name.startsWith("ready")
    );
    assertEquals(names, []);

    const again = await run("agent", "start", ...NOWHERE);
    assertEquals(again.code, 1);
    assertStringIncludes(again.stderr, `error: an agent is already running (pid ${pid})\nhint:  stop it`);
    const elsewhere = await run("agent", "start", "--socket", `${home}/other.sock`, "--json", ...NOWHERE);
    assertEquals([elsewhere.code, JSON.parse(elsewhere.stderr).code], [1, "already_exists"]);

    assertEquals((await run("agent", "status", "--check")).code, 0);
    const status = await run("status");
    assertStringIncludes(status.stdout, `Agent: running (pid ${pid})\n`);
    for (const label of ["NAT type:", "Endpoint:", "Strategy:", "Beacon:"]) {
      assertStringIncludes(status.stdout, label);
    }
    assertMatch(status.stdout, /Registry: +127\.0\.0\.1:1 \(unreachable: .+\)/);
    const { data } = JSON.parse((await run("agent", "status", "--json")).stdout);
    assertEquals([data.running, data.responsive, data.pid, data.socket], [
      true,
      true,
      pid,
      `${home}/pilot.sock`,
    ]);

    const stopped = await run("agent", "stop");
    assertEquals([stopped.code, stopped.stdout], [0, `agent stopped (pid ${pid})\n`]);
    for (const file of ["pilot.pid", "pilot.sock"]) {
      assertEquals(await exists(`${home}/${file}`), false, file);
    }
    assertEquals((await run("agent", "status", "--check")).code, 1);
    assertEquals((await run("agent", "stop", "--json")).code, 1);

    assertMatch((await run("agent", "start", ...NOWHERE)).stdout, /^✓ Identity loaded/);
  });
});

Deno.test("what a killed agent left is no obstacle", async () => {
  await withHome(async (home, run) => {
    const { data } = JSON.parse((await run("agent", "start", "--json", ...NOWHERE)).stdout);
    Deno.kill(data.pid, "SIGKILL");
    await until(async () => (await run("agent", "status", "--check")).code === 1);
    assertEquals(await exists(`${home}/pilot.sock`), true);
    assertEquals((await run("agent", "start", ...NOWHERE)).code, 0);
    assertEquals((await run("agent", "stop")).code, 0);
  });
});

Deno.test("a process that merely got the old number is left alone", async () => {
  await withHome(async (home, run) => {
    const stranger = new Deno.Command("sleep", { args: ["60"] }).spawn();
    try {
      await Deno.writeTextFile(`${home}/pilot.pid`, String(stranger.pid));
      const stopped = await run("agent", "stop");
      assertEquals(stopped.code, 1);
      assertStringIncludes(stopped.stderr, "error: the agent is not running (stale pid file removed)\n");
      assertEquals(await exists(`${home}/pilot.pid`), false);
      await Deno.writeTextFile(`${home}/pilot.pid`, String(stranger.pid));
      assertEquals((await run("agent", "start", ...NOWHERE)).code, 0);
      assert(await Deno.readTextFile(`${home}/pilot.pid`) !== String(stranger.pid));
      Deno.kill(stranger.pid, "SIGCONT"); // throws when it is gone
    } finally {
      stranger.kill("SIGKILL");
      await stranger.status;
    }
  });
});

Deno.test("nothing but a dead socket is ever removed", async () => {
  await withHome(async (home, run) => {
    const path = `${home}/precious`;
    await Deno.writeTextFile(path, "data");
    for (const command of ["start", "stop"]) {
      const finished = await run("agent", command, "--socket", path, "--json");
      assertEquals([finished.code, JSON.parse(finished.stderr).code], [1, "invalid_argument"]);
      assertStringIncludes(finished.stderr, "is not a socket");
    }
    assertEquals(await Deno.readTextFile(path), "data");
  });
});

Deno.test("a start that cannot work says why, at once", async () => {
  await withHome(async (home, run) => {
    await Deno.writeTextFile(`${home}/identity.key`, "not a key");
    const begun = performance.now();
    const broken = await run("agent", "start", "--json", ...NOWHERE);
    assert(performance.now() - begun < 5_000);
    assertEquals([broken.code, JSON.parse(broken.stderr).code], [1, "corrupt_file"]);
    assertStringIncludes(broken.stderr, "identity.key");
    assertEquals(await Deno.readTextFile(`${home}/identity.key`), "not a key");
    await Deno.remove(`${home}/identity.key`);

    const taken = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
    try {
      const port = taken.addr.transport === "udp" ? taken.addr.port : 0;
      const busy = await run("agent", "start", "--listen", `127.0.0.1:${port}`);
      assertEquals(busy.code, 1);
      assertMatch(busy.stderr, /^error: .*(in use|taken|bind).*\n/i);
    } finally {
      taken.close();
    }

    await Deno.writeTextFile(`${home}/config.json`, "{");
    const config = await run("agent", "start", "--json");
    assertEquals(JSON.parse(config.stderr).code, "corrupt_file");
    assertEquals(await Deno.readTextFile(`${home}/config.json`), "{");
    await Deno.remove(`${home}/config.json`);
    assertEquals(await exists(`${home}/pilot.pid`), false);
  });
});

Deno.test("in the foreground, Ctrl-C ends it in order", async () => {
  await withHome(async (home, run) => {
    const child = startPilot(["agent", "start", "--foreground", ...NOWHERE], { env: { PILOT_HOME: home } });
    await until(async () => (await run("agent", "status", "--check")).code === 0);
    await until(() => exists(`${home}/pilot.pid`));
    assertEquals(await Deno.readTextFile(`${home}/pilot.pid`), String(child.pid));
    child.kill("SIGINT");
    const { code, stdout, stderr } = await child.output();
    await child.stdin.close().catch(() => {});
    assertEquals(code, 0, new TextDecoder().decode(stderr));
    assertMatch(new TextDecoder().decode(stdout), /^✓ Identity generated[\s\S]*\n {2}pid \d+\n$/);
    for (const file of ["pilot.pid", "pilot.sock"]) {
      assertEquals(await exists(`${home}/${file}`), false, file);
    }
  });
});

/** Runs a command with this home. */
type Run = (...args: string[]) => Promise<Finished>;

/** Gives a home, and makes sure that no agent stays behind. */
async function withHome(use: (home: string, run: Run) => Promise<void>): Promise<void> {
  await inTempFolder(async (folder) => {
    const home = `${folder}/home`;
    await Deno.mkdir(home, { mode: 0o700 });
    const run: Run = (...args) => pilot(args, { env: { PILOT_HOME: home } });
    try {
      await use(home, run);
    } finally {
      await run("agent", "stop");
    }
  });
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!await condition()) {
    if (performance.now() > deadline) throw new Error("waited in vain");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function exists(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}
