import { join } from "node:path";
import {
  clearInbox,
  clearReceived,
  Inbox,
  type InboxLimits,
  listInbox,
  listReceived,
  readMessage,
  storeFailureReason,
} from "../../services/agent/inbox.ts";
import { localRfc3339 } from "../../services/agent/inbox_names.ts";
import { PilotError } from "../../lib/wire/error.ts";
import { assert, assertEquals, assertMatch, assertRejects } from "../assert.ts";

const NOON = new Date(2026, 0, 2, 12, 30, 45, 67).getTime();
const LIMITS: InboxLimits = {
  inbox: { bytes: 1_000_000, files: 100 },
  received: { bytes: 1_000_000, files: 100 },
};

interface World {
  readonly home: string;
  readonly inbox: string;
  readonly received: string;
}

async function inHome(test: (world: World) => Promise<void>): Promise<void> {
  const home = await Deno.makeTempDir({ prefix: "pilot-inbox-" });
  try {
    await test({ home, inbox: join(home, "deep", "inbox"), received: join(home, "deep", "received") });
  } finally {
    await Deno.remove(home, { recursive: true });
  }
}

function text(payload: string, type: "TEXT" | "JSON" | "BINARY" = "TEXT") {
  const from = "0:0000.0000.0002";
  return { type, payload: new TextEncoder().encode(payload), from, authenticated: true, fromKey: "S0VZ" };
}

function names(directory: string): string[] {
  return [...Deno.readDirSync(directory)].map(({ name }) => name).sort();
}

Deno.test("a message becomes one file with the agreed name, content and rights", async () => {
  await inHome(async (world) => {
    const inbox = new Inbox(world, { unixMs: () => NOON });
    const stored = await inbox.store(text("hello"));
    assertEquals(stored.name, "TEXT-20260102-123045.067.json");
    assertEquals(names(world.inbox), [stored.name]);
    const path = join(world.inbox, stored.name);
    const content = await Deno.readTextFile(path);
    assertEquals(
      content,
      `{"authenticated":true,"bytes":5,"data":"hello","from":"0:0000.0000.0002","from_key":"S0VZ",` +
        `"id":"${stored.id}","received_at":"${localRfc3339(NOON)}","type":"TEXT"}`,
    );
    if (Deno.build.os !== "windows") {
      assertEquals(((await Deno.stat(path)).mode ?? 0) & 0o777, 0o600);
      assertEquals(((await Deno.stat(world.inbox)).mode ?? 0) & 0o777, 0o700);
    }
  });
});

Deno.test("bytes that are not UTF-8 survive next to the damaged text", async () => {
  await inHome(async (world) => {
    const inbox = new Inbox(world, { unixMs: () => NOON });
    const payload = Uint8Array.of(0xff, 0xfe, 0x00, 0x41);
    await inbox.store({ type: "BINARY", payload, from: "0:0000.0000.0002", authenticated: false });
    const [message] = await listInbox(world.inbox);
    assertEquals(message?.data, "\ufffd\ufffd\u0000A");
    assertEquals([message?.data_b64, message?.data_encoding], ["//4AQQ==", "base64"]);
    assertEquals([message?.bytes, message?.authenticated, message?.from_key], [4, false, undefined]);
    const marked = await inbox.store(text("\ufeffbom"));
    assertEquals((await readMessage(world.inbox, marked.id))?.data, "\ufeffbom");
  });
});

Deno.test("arrivals of one millisecond get a counter and stay in order", async () => {
  await inHome(async (world) => {
    const inbox = new Inbox(world, { unixMs: () => NOON });
    await Promise.all(Array.from({ length: 12 }, (_, index) => inbox.store(text(`m${index}`))));
    const listed = await listInbox(world.inbox);
    assertEquals(listed.map(({ data }) => data), Array.from({ length: 12 }, (_, index) => `m${index}`));
    assertEquals(listed[0]?.file, "TEXT-20260102-123045.067.json");
    assertEquals(listed[11]?.file, "TEXT-20260102-123045.067-11.json");
    // A second agent on the same folder does not overwrite either.
    const other = await new Inbox(world, { unixMs: () => NOON }).store(text("other"));
    assertEquals(other.name, "TEXT-20260102-123045.067-12.json");
  });
});

Deno.test("the list is ordered by time, not by type", async () => {
  await inHome(async (world) => {
    let now = NOON;
    const inbox = new Inbox(world, { unixMs: () => now });
    for (const [type, step] of [["TEXT", 1], ["JSON", 5], ["BINARY", 1000], ["JSON", 86_400_000]] as const) {
      await inbox.store(text(`${now}`, type));
      now += step;
    }
    const times = (await listInbox(world.inbox)).map(({ data }) => Number(data));
    assertEquals(times, [...times].sort((a, b) => a - b));
    assertEquals((await listInbox(world.inbox)).map(({ type }) => type), ["TEXT", "JSON", "BINARY", "JSON"]);
  });
});

Deno.test("a message is found by its id and by its file", async () => {
  await inHome(async (world) => {
    const inbox = new Inbox(world, { unixMs: () => NOON });
    const first = await inbox.store(text("first"));
    const second = await inbox.store(text("second"));
    assertEquals((await readMessage(world.inbox, first.name))?.data, "first");
    assertEquals((await readMessage(world.inbox, second.id))?.data, "second");
    assertEquals(await readMessage(world.inbox, "nothing"), undefined);
    assertEquals(await readMessage(world.inbox, "TEXT-20200101-000000.000.json"), undefined);
    assertEquals(await readMessage(world.inbox, "../identity.key"), undefined);
  });
});

Deno.test("foreign and broken files disturb nothing", async () => {
  await inHome(async (world) => {
    const inbox = new Inbox(world, { unixMs: () => NOON });
    await inbox.store(text("good"));
    const broken: Record<string, string> = {
      "notes.txt": "mine",
      "TEXT-20260101-000000.000.json": "{ half",
      "TEXT-20260101-000000.001.json": "null",
      "JSON-20260101-000000.002.json":
        '{"type":"JSON","from":"x","data":"y","bytes":"1","received_at":"2026-01-01T00:00:00Z"}',
      "JSON-20260101-000000.003.json":
        '{"type":"FILE","from":"x","data":"y","bytes":1,"received_at":"2026-01-01T00:00:00Z"}',
      "JSON-20260101-000000.004.json":
        '{"type":"JSON","from":"x","data":"y","bytes":1,"received_at":"yesterday"}',
      // As other implementations write it: without the additional fields.
      "JSON-20250101-000000.005.json":
        '{"bytes":1,"data":"y","from":"x","received_at":"2025-01-01T00:00:00Z","type":"JSON"}',
    };
    for (const [name, content] of Object.entries(broken)) {
      await Deno.writeTextFile(join(world.inbox, name), content);
    }
    await Deno.mkdir(join(world.inbox, "TEXT-20260101-000000.006.json"));
    await Deno.symlink("/etc/hostname", join(world.inbox, "TEXT-20260101-000000.007.json"));
    assertEquals((await listInbox(world.inbox)).map(({ data }) => data), ["y", "good"]);
    assertEquals(await clearInbox(world.inbox), 7);
    assertEquals(names(world.inbox), [
      "TEXT-20260101-000000.006.json",
      "TEXT-20260101-000000.007.json",
      "notes.txt",
    ]);
  });
});

Deno.test("missing folders are empty ones", async () => {
  await inHome(async (world) => {
    assertEquals(await listInbox(world.inbox), []);
    assertEquals(await listReceived(world.received), []);
    assertEquals(await clearInbox(world.inbox), 0);
    assertEquals(await clearReceived(world.received), 0);
  });
});

Deno.test("received files are stored as sent and listed by time", async () => {
  await inHome(async (world) => {
    let now = NOON;
    const inbox = new Inbox(world, { unixMs: () => now++ });
    const data = Uint8Array.of(0, 1, 2, 255);
    const stored = await inbox.storeFile({ name: "../z.bin", data });
    assertEquals(stored.name, "z-20260102-123045.067.bin");
    assertEquals(await Deno.readFile(join(world.received, stored.name)), data);
    await inbox.storeFile({ name: "a", data: new Uint8Array(0) });
    await Deno.mkdir(join(world.received, "folder"));
    const files = await listReceived(world.received);
    assertEquals(files.map(({ name, bytes }) => [name, bytes]), [["z-20260102-123045.067.bin", 4], [
      "a-20260102-123045.068",
      0,
    ]]);
    assertMatch(files[0]?.modified ?? "", /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)$/);
    assertEquals(files[0]?.path, join(world.received, stored.name));
    assertEquals(await clearReceived(world.received), 2);
    assertEquals(names(world.received), ["folder"]);
  });
});

Deno.test("the oldest, and only the oldest, make room: by number", async () => {
  await inHome(async (world) => {
    let now = NOON;
    const limits = { ...LIMITS, inbox: { bytes: 1_000_000, files: 3 } };
    const inbox = new Inbox(world, { limits, unixMs: () => now++ });
    for (const name of ["a", "b", "c", "d"]) await inbox.store(text(name));
    assertEquals((await listInbox(world.inbox)).map(({ data }) => data), ["b", "c", "d"]);
    // After a restart the folder is counted again; foreign files are neither counted nor evicted.
    await Deno.writeTextFile(join(world.inbox, "keep.json"), "x".repeat(5000));
    await new Inbox(world, { limits, unixMs: () => now++ }).store(text("e"));
    assertEquals((await listInbox(world.inbox)).map(({ data }) => data), ["c", "d", "e"]);
    assert(names(world.inbox).includes("keep.json"));
  });
});

Deno.test("the oldest, and only the oldest, make room: by size", async () => {
  await inHome(async (world) => {
    let now = NOON;
    const limits = { ...LIMITS, received: { bytes: 100, files: 100 } };
    const inbox = new Inbox(world, { limits, unixMs: () => now++ });
    for (const size of [40, 30, 30]) await inbox.storeFile({ name: `f${size}`, data: new Uint8Array(size) });
    assertEquals((await listReceived(world.received)).length, 3, "exactly full is not too full");
    await inbox.storeFile({ name: "g", data: new Uint8Array(41) });
    assertEquals((await listReceived(world.received)).map(({ bytes }) => bytes), [30, 41]);
    const error = await assertRejects(
      () => inbox.storeFile({ name: "h", data: new Uint8Array(101) }),
      PilotError,
      "quota",
    );
    assertEquals(storeFailureReason(error), "quota");
    assertEquals((await listReceived(world.received)).length, 2, "what cannot fit evicts nothing");
    await inbox.storeFile({ name: "i", data: new Uint8Array(100) });
    assertEquals((await listReceived(world.received)).map(({ bytes }) => bytes), [100]);
  });
});

Deno.test("files deleted by the user do not count for ever", async () => {
  await inHome(async (world) => {
    const limits = { ...LIMITS, inbox: { bytes: 1_000_000, files: 3 } };
    let now = NOON;
    const inbox = new Inbox(world, { limits, unixMs: () => now++ });
    for (const name of ["a", "b", "c"]) await inbox.store(text(name));
    await clearInbox(world.inbox);
    for (const name of ["d", "e", "f"]) await inbox.store(text(name));
    assertEquals((await listInbox(world.inbox)).map(({ data }) => data), ["d", "e", "f"]);
  });
});

Deno.test("leftovers of a crash are removed, files being written are not listed", async () => {
  await inHome(async (world) => {
    await Deno.mkdir(world.received, { recursive: true });
    const [stale, fresh] = [`.tmp-${crypto.randomUUID()}`, `.tmp-${crypto.randomUUID()}`];
    for (const name of [stale, fresh]) await Deno.writeTextFile(join(world.received, name), "half");
    const past = new Date(Date.now() - 3_600_000);
    await Deno.utime(join(world.received, stale), past, past);
    await new Inbox(world, { unixMs: () => NOON }).storeFile({ name: ".tmp-x.y", data: new Uint8Array(1) });
    assertEquals(names(world.received), [".tmp-x-20260102-123045.067.y", fresh].sort());
    assertEquals((await listReceived(world.received)).length, 1);
  });
});

Deno.test("a folder that cannot be written is an error of that message alone", async () => {
  await inHome(async (world) => {
    const blocked = join(world.home, "file");
    await Deno.writeTextFile(blocked, "");
    const inbox = new Inbox({ inbox: join(blocked, "inbox"), received: world.received });
    const error = await inbox.store(text("a")).catch((reason: unknown) => reason);
    assert(error instanceof Error);
    assertEquals(storeFailureReason(error), "storage error");
    await inbox.storeFile({ name: "f", data: new Uint8Array(1) });
    await Deno.remove(blocked);
    await inbox.store(text("b"));
    assertEquals((await listInbox(join(blocked, "inbox"))).map(({ data }) => data), ["b"]);
  });
});
