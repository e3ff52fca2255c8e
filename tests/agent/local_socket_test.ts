/** The file of the local socket. */

import { Log } from "../../lib/io/log.ts";
import { PilotError } from "../../lib/wire/error.ts";
import { serveLocal } from "../../services/agent/local/serve.ts";
import { assert, assertEquals, assertRejects } from "../assert.ts";
import { FakeAgent } from "./fake_agent.ts";

async function withFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "pl" });
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function serving(path: string, body: () => Promise<void>): Promise<void> {
  const stop = new AbortController();
  const service = await serveLocal(new FakeAgent(), { path, log: Log.silent, signal: stop.signal });
  try {
    await body();
  } finally {
    stop.abort();
    await service.finished;
  }
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

Deno.test("private from the start, nothing left behind", async () => {
  await withFolder(async (folder) => {
    await serving(`${folder}/s`, () => {
      const file = Deno.lstatSync(`${folder}/s`);
      assert(file.isSocket);
      assertEquals((file.mode ?? 0) & 0o777, 0o600);
      assertEquals([...Deno.readDirSync(folder)].map((entry) => entry.name), ["s"]);
      return Promise.resolve();
    });
    assertEquals([...Deno.readDirSync(folder)], []);
  });
});

Deno.test("a living agent keeps its place", async () => {
  await withFolder(async (folder) => {
    await serving(`${folder}/s`, async () => {
      const error = await assertRejects(() => serving(`${folder}/s`, () => Promise.resolve()), PilotError);
      assertEquals(error.code, "already_exists");
      (await Deno.connect({ transport: "unix", path: `${folder}/s` })).close();
    });
  });
});

Deno.test("a dead agent's socket is replaced", async () => {
  await withFolder(async (folder) => {
    const dead = Deno.listen({ transport: "unix", path: `${folder}/d` });
    await Deno.link(`${folder}/d`, `${folder}/s`);
    dead.close();
    assert(exists(`${folder}/s`));
    await serving(`${folder}/s`, async () => {
      (await Deno.connect({ transport: "unix", path: `${folder}/s` })).close();
    });
    assert(!exists(`${folder}/s`));
  });
});

Deno.test("anything else is left alone", async () => {
  await withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/s`, "precious");
    const error = await assertRejects(() => serving(`${folder}/s`, () => Promise.resolve()), PilotError);
    assertEquals(error.code, "already_exists");
    assertEquals(await Deno.readTextFile(`${folder}/s`), "precious");
    await Deno.mkdir(`${folder}/t`);
    await assertRejects(() => serving(`${folder}/t`, () => Promise.resolve()), PilotError);
    await Deno.symlink(`${folder}/nowhere`, `${folder}/l`);
    await assertRejects(() => serving(`${folder}/l`, () => Promise.resolve()), PilotError);
    assert(exists(`${folder}/l`));
    const missing = await assertRejects(() => serving(`${folder}/no/s`, () => Promise.resolve()), PilotError);
    assertEquals(missing.code, "connection_failed");
  });
});

Deno.test("at the end only the own file is deleted", async () => {
  await withFolder(async (folder) => {
    await serving(`${folder}/s`, async () => {
      await Deno.remove(`${folder}/s`);
      await Deno.writeTextFile(`${folder}/s`, "somebody else's");
    });
    assertEquals(await Deno.readTextFile(`${folder}/s`), "somebody else's");
  });
});

Deno.test("of two agents that start at once over a dead socket, one wins", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/s`;
    for (let round = 0; round < 5; round++) {
      const dead = Deno.listen({ transport: "unix", path: `${folder}/d` });
      await Deno.link(`${folder}/d`, path);
      dead.close();
      const stop = new AbortController();
      const options = { path, log: Log.silent, signal: stop.signal };
      const results = await Promise.allSettled(
        [1, 2, 3].map((node) => serveLocal(new FakeAgent(node), options)),
      );
      const winners = results.filter((result) => result.status === "fulfilled");
      assertEquals(winners.length, 1);
      (await Deno.connect({ transport: "unix", path })).close();
      stop.abort();
      for (const winner of winners) await winner.value.finished;
      assertEquals([...Deno.readDirSync(folder)], []);
    }
  });
});
