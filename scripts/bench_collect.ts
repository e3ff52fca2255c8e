/**
 * Preloaded into processes whose memory is measured: they collect their garbage when they get SIGUSR2. Without that,
 * what a process holds is what its last collection left, which may be minutes old.
 */

/** Arguments for the runtime of such a process. */
export const COLLECTABLE: readonly string[] = ["--v8-flags=--expose-gc", `--preload=${import.meta.filename}`];

/** Whether this system can ask for it, and tells resident memory. */
export const CAN_COLLECT = Deno.build.os === "linux";

/** Asks processes that were started with {@linkcode COLLECTABLE}. */
export function collect(pids: readonly number[]): void {
  for (const pid of pids) Deno.kill(pid, "SIGUSR2");
}

const gc: unknown = Reflect.get(globalThis, "gc");
if (CAN_COLLECT && typeof gc === "function") Deno.addSignalListener("SIGUSR2", () => gc());
