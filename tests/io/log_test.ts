import { Log, LogFile, type LogFormat, type LogLevel } from "../../lib/io/log.ts";
import { assert, assertEquals, assertMatch } from "../assert.ts";

/** A log and the lines it has written. */
function recorder(level: LogLevel, format: LogFormat): { log: Log; lines: string[] } {
  const lines: string[] = [];
  const sink = {
    write: (line: Uint8Array) => void lines.push(new TextDecoder().decode(line)),
    close: () => {},
  };
  return { log: new Log({ level, format, sink }), lines };
}

Deno.test("a log writes its own level and the graver ones", () => {
  const levels = ["debug", "info", "warn", "error"] as const;
  for (const [i, level] of levels.entries()) {
    const { log, lines } = recorder(level, "text");
    for (const written of levels) log[written](written);
    assertEquals(lines.length, levels.length - i);
    assertEquals(levels.map((other) => log.enabled(other)), levels.map((_, j) => j >= i));
  }
});

Deno.test("text lines: time, level, message, fields; nothing can fake a line of its own", () => {
  const { log, lines } = recorder("info", "text");
  log.info("peer joined", { node: 1000, from: "[2001:db8::1]:4000", quiet: true, missing: undefined });
  assertMatch(
    lines[0] ?? "",
    /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z INFO {2}peer joined node=1000 from=\[2001:db8::1\]:4000 quiet=true\n$/,
  );
  log.warn("a\nb\u001b[31m\u2028c", {
    text: "x\r\ny",
    spaced: "a b",
    empty: "",
    list: [1, "\n"],
    nothing: null,
  });
  const line = lines[1] ?? "";
  assertEquals(line.indexOf("\n"), line.length - 1);
  assert(!["\t", "\r", "\u001b", "\u2028"].some((control) => line.includes(control)));
  assertMatch(
    line,
    /WARN {2}a\\u000ab.* text="x\\r\\ny" spaced="a b" empty="" list=\[1,"\\n"\] nothing=null\n$/,
  );
});

Deno.test("JSON lines are one object each", () => {
  const { log, lines } = recorder("debug", "json");
  log.error("a\nb", {
    error: new TypeError("boom"),
    count: 5n,
    bytes: new Uint8Array(3),
    deep: { e: new Error("in") },
  });
  assertEquals(lines.length, 1);
  const { time, ...rest } = JSON.parse(lines[0] ?? "");
  assertMatch(time, /Z$/);
  assertEquals(rest, {
    level: "error",
    message: "a\nb",
    error: "boom",
    count: "5",
    bytes: "3 bytes",
    deep: { e: "in" },
  });
});

Deno.test("fields that cannot be shown do not cost the message", () => {
  const circular: Record<string, unknown> = {};
  circular["self"] = circular;
  for (const format of ["text", "json"] as const) {
    const { log, lines } = recorder("info", format);
    log.info("still here", { circular });
    log.info("here too", { odd: () => {} });
    assertEquals(lines.length, 2);
    assertMatch(lines[0] ?? "", /still here/);
    assertMatch(lines[1] ?? "", /here too/);
  }
});

Deno.test("a log with fields adds them to every line", () => {
  const { log, lines } = recorder("warn", "text");
  const child = log.with({ peer: 7 }).with({ port: 1 });
  child.info("not shown");
  child.warn("shown", { port: 2 });
  assertEquals(lines.length, 1);
  assertMatch(lines[0] ?? "", /shown peer=7 port=2\n$/);
  Log.silent.error("nobody hears this");
});

Deno.test("a log file is private, appended to, and bounded", async () => {
  const directory = await Deno.makeTempDir();
  const path = `${directory}/sub/pilot.log`;
  for (let run = 0; run < 2; run++) {
    const file = new LogFile(path, { maxBytes: 1_000, files: 3 });
    const log = new Log({ sink: file });
    for (let i = 0; i < 50; i++) log.info(`line ${run} ${i}`, { padding: "x".repeat(50) });
    log.close();
  }
  const names = [...Deno.readDirSync(`${directory}/sub`)].map((entry) => entry.name).sort();
  assertEquals(names, ["pilot.log", "pilot.log.1", "pilot.log.2"]);
  let newest = "";
  for (const name of [...names].reverse()) {
    const info = await Deno.stat(`${directory}/sub/${name}`);
    assert(info.size <= 1_000 && info.size > 0, `${name} has ${info.size} bytes`);
    if (Deno.build.os !== "windows") assertEquals((info.mode ?? 0) & 0o777, 0o600);
    newest += await Deno.readTextFile(`${directory}/sub/${name}`);
  }
  // The newest lines, none missing between them.
  const numbers = [...newest.matchAll(/line 1 (\d+)/g)].map((match) => Number(match[1]));
  assertEquals(numbers.at(-1), 49);
  assertEquals(numbers, numbers.map((_, i) => 49 - numbers.length + 1 + i));
  await Deno.remove(directory, { recursive: true });
});

Deno.test("a single file starts anew when it is full; a line longer than the limit is kept whole", async () => {
  const directory = await Deno.makeTempDir();
  const path = `${directory}/pilot.log`;
  const file = new LogFile(path, { maxBytes: 100, files: 1 });
  const text = new TextEncoder();
  file.write(text.encode("a".repeat(90) + "\n"));
  file.write(text.encode("b".repeat(200) + "\n"));
  assertEquals(await Deno.readTextFile(path), "b".repeat(200) + "\n");
  file.write(text.encode("c\n"));
  assertEquals(await Deno.readTextFile(path), "c\n");
  file.close();
  // A closed file opens again rather than failing.
  file.write(text.encode("d\n"));
  file.close();
  assertEquals(await Deno.readTextFile(path), "c\nd\n");
  await Deno.remove(directory, { recursive: true });
});
