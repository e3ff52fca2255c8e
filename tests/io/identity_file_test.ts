import { assert, assertEquals, assertMatch, assertRejects } from "../assert.ts";
import { encodeIdentity, generateIdentity } from "../../lib/crypto/identity.ts";
import { loadOrCreateIdentity } from "../../lib/io/identity_file.ts";
import { PilotError } from "../../lib/wire/error.ts";
import { SeededRandom } from "../sim/random.ts";

async function inDirectory(test: (directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await test(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

function names(directory: string): string[] {
  return [...Deno.readDirSync(directory)].map((entry) => entry.name).sort();
}

const mode = (path: string) => (Deno.statSync(path).mode ?? 0) & 0o777;

Deno.test("identity file: created once, private, and read back", () =>
  inDirectory(async (directory) => {
    const path = `${directory}/a/b/identity.key`;
    const created = await loadOrCreateIdentity(path, new SeededRandom(1).bytes);
    assertEquals(Deno.readTextFileSync(path), encodeIdentity(created));
    assertEquals(await loadOrCreateIdentity(path, new SeededRandom(2).bytes), created);
    assertEquals(names(`${directory}/a/b`), ["identity.key"]);
    if (Deno.build.os !== "windows") {
      assertEquals(mode(path), 0o600);
      assertEquals(mode(`${directory}/a`), 0o700);
      assertEquals(mode(`${directory}/a/b`), 0o700);
    }
  }));

Deno.test("identity file: one made by another program is read", () =>
  inDirectory(async (directory) => {
    const path = `${directory}/identity.key`;
    const identity = generateIdentity(new SeededRandom(3).bytes);
    const compact = JSON.stringify(JSON.parse(encodeIdentity(identity))) + "\n";
    Deno.writeTextFileSync(path, compact);
    assertEquals(await loadOrCreateIdentity(path, new SeededRandom(4).bytes), identity);
    assertEquals(Deno.readTextFileSync(path), compact);
  }));

Deno.test("identity file: a damaged one is reported by name and never overwritten", () =>
  inDirectory(async (directory) => {
    const path = `${directory}/identity.key`;
    const good = encodeIdentity(generateIdentity(new SeededRandom(5).bytes));
    const damaged = ["", "\0".repeat(200), "{}", "garbage", good.slice(0, 100), good.slice(0, -2)];
    for (const text of damaged) {
      Deno.writeTextFileSync(path, text);
      const error = await assertRejects(
        () => loadOrCreateIdentity(path, new SeededRandom(6).bytes),
        PilotError,
        path,
      );
      assertEquals(error.code, "corrupt_file");
      assertMatch(error.hint ?? "", /backup/);
      assertEquals(Deno.readTextFileSync(path), text);
      assertEquals(names(directory), ["identity.key"]);
    }
  }));

Deno.test("identity file: the error does not show the secret", () =>
  inDirectory(async (directory) => {
    const path = `${directory}/identity.key`;
    const text = encodeIdentity(generateIdentity(new SeededRandom(7).bytes)).replace(
      "public_key",
      "publik_key",
    );
    Deno.writeTextFileSync(path, text);
    const error = await assertRejects(
      () => loadOrCreateIdentity(path, new SeededRandom(8).bytes),
      PilotError,
    );
    const secret = JSON.parse(text).private_key.slice(0, 12);
    assert(!`${error.message}${error.hint}`.includes(secret));
  }));

Deno.test("identity file: of many at once one wins and all agree", () =>
  inDirectory(async (directory) => {
    const path = `${directory}/new/identity.key`;
    const identities = await Promise.all(
      Array.from({ length: 20 }, (_, i) => loadOrCreateIdentity(path, new SeededRandom(100 + i).bytes)),
    );
    const saved = Deno.readTextFileSync(path);
    for (const identity of identities) assertEquals(encodeIdentity(identity), saved);
    assertEquals(names(`${directory}/new`), ["identity.key"]);
  }));

Deno.test("identity file: processes that start together agree", () =>
  inDirectory(async (directory) => {
    const path = `${directory}/identity.key`;
    const script = `
      const { loadOrCreateIdentity } = await import(${
      JSON.stringify(import.meta.resolve("../../lib/io/identity_file.ts"))
    });
      const { encodeIdentity } = await import(${
      JSON.stringify(import.meta.resolve("../../lib/crypto/identity.ts"))
    });
      console.log(encodeIdentity(await loadOrCreateIdentity(Deno.args[0], (t) => crypto.getRandomValues(t))));`;
    const program = `${directory}/create.ts`;
    Deno.writeTextFileSync(program, script);
    const config = new URL("../../deno.json", import.meta.url).pathname;
    const outputs = await Promise.all(
      Array.from({ length: 3 }, () =>
        new Deno.Command(Deno.execPath(), {
          args: ["run", "-A", "--no-check", "--config", config, program, path],
          stderr: "inherit",
        }).output()),
    );
    const saved = Deno.readTextFileSync(path);
    for (const { success, stdout } of outputs) {
      assert(success);
      assertEquals(new TextDecoder().decode(stdout).trim(), saved);
    }
  }));

Deno.test({
  name: "identity file: what the operating system refuses is unavailable",
  ignore: Deno.build.os === "windows",
  fn: () =>
    inDirectory(async (directory) => {
      Deno.writeTextFileSync(`${directory}/file`, "");
      const random = new SeededRandom(9).bytes;
      for (const path of [`${directory}/file/identity.key`, directory]) {
        const error = await assertRejects(() => loadOrCreateIdentity(path, random), PilotError, path);
        assertEquals(error.code, "unavailable");
      }
    }),
});

Deno.test({
  name: "identity file: a link to nowhere is not replaced",
  ignore: Deno.build.os === "windows",
  fn: () =>
    inDirectory(async (directory) => {
      const path = `${directory}/identity.key`;
      Deno.symlinkSync(`${directory}/unmounted`, path);
      const error = await assertRejects(
        () => loadOrCreateIdentity(path, new SeededRandom(10).bytes),
        PilotError,
        path,
      );
      assertEquals(error.code, "invalid_state");
      assertEquals(names(directory), ["identity.key"]);
    }),
});
