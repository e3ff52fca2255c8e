/** The demo, as a person runs it: it works, and interrupted at any point it leaves nothing behind. */

import { kill } from "node:process";
import { assertEquals, assertMatch, assertStringIncludes } from "../assert.ts";
import { processesNaming, Program, until } from "./process.ts";

/** Runs the demo with a temporary folder of its own, and asserts in the end that it left nothing. */
async function withDemo(story: (demo: Program) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ dir: "/tmp", prefix: "pilot-e2e-" });
  const demo = new Program({ script: "scripts/demo.ts", args: [], env: { TMPDIR: folder }, group: true });
  try {
    await story(demo);
    assertEquals(processesNaming(folder), [], "processes are left");
    assertEquals([...Deno.readDirSync(folder)], [], "files are left");
  } catch (error) {
    console.error(demo.log);
    throw error;
  } finally {
    await demo.kill();
    for (const pid of processesNaming(folder)) kill(pid, "SIGKILL");
    await until("all processes of the demo are gone", () => processesNaming(folder).length === 0);
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("the demo tells its story and exits with 0", async () => {
  await withDemo(async (demo) => {
    const { code, stdout, stderr } = await demo.finished();
    assertEquals(code, 0, stderr);
    for (const text of ["Registered as agent-a", "Mutual trust established", "ACK", "revoked", "no trust"]) {
      assertStringIncludes(stdout, text);
    }
    assertMatch(stdout, /Everything above really happened, in [\d.]+ s\.\n$/);
    assertEquals(stderr, "");
  });
});

const MOMENTS: readonly (readonly [string, RegExp])[] = [
  ["before anything runs", /# A registry/],
  ["when registry and beacon run", /Beacon listening/],
  ["when the agents run", /Registered as agent-b/],
  ["between trust and message", /Mutual trust established/],
];

for (const [name, pattern] of MOMENTS) {
  Deno.test(`the demo interrupted ${name} leaves nothing behind`, async () => {
    await withDemo(async (demo) => {
      await demo.ready(pattern);
      const { code, stdout } = await demo.end("SIGINT");
      assertEquals(code, 130, stdout);
    });
  });
}

Deno.test("the demo ended by SIGTERM leaves nothing behind", async () => {
  await withDemo(async (demo) => {
    await demo.ready(/Registered as agent-b/);
    assertEquals((await demo.end("SIGTERM")).code, 130);
  });
});

Deno.test("Ctrl-C, which a terminal sends to all processes of the demo, leaves nothing behind", async () => {
  await withDemo(async (demo) => {
    await demo.ready(/Registered as agent-b/);
    kill(-demo.pid, "SIGINT");
    assertEquals((await demo.finished()).code, 130);
  });
});
