/**
 * Builds one self-contained program: `dist/pilot`, and `dist/pilotctl` beside it.
 *
 * `deno compile` needs a runtime file for the target that it downloads by itself; where the network does not have it,
 * the variable `DENORT_BIN` names a local one.
 */

import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const DIST = `${ROOT}dist`;

/** Compiles `cli.ts`; the exit code of the compiler. */
async function compile(target: string | undefined): Promise<number> {
  const name = target === undefined ? "pilot" : `pilot-${target}`;
  const args = ["compile", "-A", "--output", `${DIST}/${name}`];
  if (target !== undefined) args.push("--target", target);
  const { code } = await new Deno.Command(Deno.execPath(), {
    args: [...args, `${ROOT}cli.ts`],
    cwd: ROOT,
    stdout: "inherit",
    stderr: "inherit",
  }).output();
  if (code !== 0) {
    console.error(`error: ${name} was not built`);
    console.error(
      "hint:  without access to the runtime file, set DENORT_BIN to a local one of the same version",
    );
  }
  return code;
}

const [target] = Deno.args;
await Deno.mkdir(DIST, { recursive: true });
const code = await compile(target);
if (code === 0 && target === undefined && Deno.build.os !== "windows") {
  await Deno.remove(`${DIST}/pilotctl`).catch(() => {});
  await Deno.symlink("pilot", `${DIST}/pilotctl`);
  console.log(`✓ ${DIST}/pilot`);
}
Deno.exit(code);
