import { makePrivateDirectory, readIfExists, readTextIfExists, writeAtomically } from "../../lib/io/files.ts";
import { assertEquals, assertRejects } from "../assert.ts";

async function withDirectory(body: (directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await body(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

function names(directory: string): string[] {
  return [...Deno.readDirSync(directory)].map((entry) => entry.name).sort();
}

function mode(path: string): number {
  return (Deno.statSync(path).mode ?? 0) & 0o777;
}

Deno.test("a file is written whole, replaced whole, and leaves nothing beside it", async () => {
  await withDirectory(async (directory) => {
    const path = `${directory}/a/b/file`;
    assertEquals(await readIfExists(path), undefined);
    assertEquals(await readTextIfExists(path), undefined);
    await writeAtomically(path, "one, a longer one");
    await writeAtomically(path, new TextEncoder().encode("two"));
    assertEquals(await readTextIfExists(path), "two");
    assertEquals(await readIfExists(path), new TextEncoder().encode("two"));
    assertEquals(names(`${directory}/a/b`), ["file"]);
    await writeAtomically(path, new Uint8Array());
    assertEquals(await readIfExists(path), new Uint8Array());
  });
});

Deno.test("files and new directories are private unless asked otherwise", async () => {
  if (Deno.build.os === "windows") return;
  await withDirectory(async (directory) => {
    const path = `${directory}/new/file`;
    await writeAtomically(path, "secret");
    assertEquals([mode(`${directory}/new`), mode(path)], [0o700, 0o600]);
    await writeAtomically(path, "open", { mode: 0o666 });
    assertEquals(mode(path), 0o666);
    // A secret written over a readable file is private again.
    await writeAtomically(path, "secret");
    assertEquals(mode(path), 0o600);
    await Deno.chmod(`${directory}/new`, 0o755);
    await makePrivateDirectory(`${directory}/new`);
    assertEquals(mode(`${directory}/new`), 0o755);
  });
});

Deno.test("a failed write leaves the old file and nothing else", async () => {
  await withDirectory(async (directory) => {
    const path = `${directory}/file`;
    await Deno.mkdir(path);
    await assertRejects(() => writeAtomically(path, "over a directory"));
    assertEquals(names(directory), ["file"]);
    await Deno.writeTextFile(`${directory}/plain`, "x");
    await assertRejects(() => writeAtomically(`${directory}/plain/file`, "below a file"));
    assertEquals(names(directory), ["file", "plain"]);
    await assertRejects(() => readIfExists(directory));
  });
});

Deno.test("many writers at once leave one whole file", async () => {
  await withDirectory(async (directory) => {
    const path = `${directory}/file`;
    const contents = Array.from({ length: 20 }, (_, i) => `${i}`.repeat(10_000));
    await Promise.all(contents.map((content) => writeAtomically(path, content)));
    assertEquals(contents.includes(await readTextIfExists(path) ?? ""), true);
    assertEquals(names(directory), ["file"]);
  });
});
