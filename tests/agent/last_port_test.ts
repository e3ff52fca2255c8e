import { assertEquals, assertThrows } from "../assert.ts";
import { bindAgain, rememberPort } from "../../services/agent/last_port.ts";
import { PilotError } from "../../lib/wire/error.ts";

async function inFolder(check: (file: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await check(`${folder}/udp-port`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Binds nothing: says which ports were asked for, and refuses those that are taken. */
function binder(...taken: number[]) {
  const asked: number[] = [];
  const bind = (port: number) => {
    asked.push(port);
    if (taken.includes(port)) throw new PilotError("already_exists", "taken");
    return port === 0 ? 50_000 : port;
  };
  return { asked, bind };
}

Deno.test("last port: the one of the last time is taken again, unless another is wanted", () =>
  inFolder(async (file) => {
    const { asked, bind } = binder();
    assertEquals(await bindAgain(file, 0, bind), 50_000);
    await rememberPort(file, 50_000);
    assertEquals(await bindAgain(file, 0, bind), 50_000);
    assertEquals(await bindAgain(file, 4_000, bind), 4_000);
    assertEquals(asked, [0, 50_000, 4_000]);
    assertEquals(await Deno.readTextFile(file), "50000\n");
  }));

Deno.test("last port: when it is taken any other will do; a wanted one that is taken is an error", () =>
  inFolder(async (file) => {
    await rememberPort(file, 40_000);
    const { asked, bind } = binder(40_000);
    assertEquals(await bindAgain(file, 0, bind), 50_000);
    assertEquals(asked, [40_000, 0]);
    const refused = await bindAgain(file, 40_000, bind).catch((error) => error);
    assertThrows(() => {
      throw refused;
    }, PilotError);
  }));

Deno.test("last port: whatever is in the file, the agent starts", () =>
  inFolder(async (file) => {
    for (const text of ["", "x", "-1", "80", "65536", "1e4.5", "5".repeat(10_000)]) {
      await Deno.writeTextFile(file, text);
      const { asked, bind } = binder();
      await bindAgain(file, 0, bind);
      assertEquals([text, asked], [text, [0]]);
    }
    await Deno.remove(file);
    await Deno.mkdir(file);
    await rememberPort(file, 50_000);
    assertEquals(await bindAgain(file, 0, binder().bind), 50_000);
  }));
