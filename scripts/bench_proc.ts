/** What the kernel knows of a process. Linux only: elsewhere everything is `undefined`. */

/** Ticks per second in `/proc`: fixed at 100 for programs, whatever the kernel uses itself. */
const TICKS = 100;

/** Processor time of a process so far, all threads, user and system, in seconds. */
export function cpuSeconds(pid: number): number | undefined {
  const stat = read(`/proc/${pid}/stat`);
  // The name in parentheses may hold anything, also spaces; fields 14 and 15 are counted from behind it.
  const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
  const ticks = Number(fields?.[11]) + Number(fields?.[12]);
  return Number.isFinite(ticks) ? ticks / TICKS : undefined;
}

/** Resident memory of a process, MB (10^6). */
export function residentMb(pid: number): number | undefined {
  const kib = /^VmRSS:\s*(\d+) kB$/m.exec(read(`/proc/${pid}/status`) ?? "")?.[1];
  return kib === undefined ? undefined : Number(kib) * 1024 / 1e6;
}

/** Files that this process, and those it starts, may have open. */
export function openFiles(): number | undefined {
  const limit = /^Max open files\s+(\d+)/m.exec(read("/proc/self/limits") ?? "")?.[1];
  return limit === undefined ? undefined : Number(limit);
}

/** Measures the processor time that processes spend until the returned function is called, in seconds each. */
export function watchCpu(pids: readonly number[]): () => number[] {
  const before = pids.map((pid) => cpuSeconds(pid) ?? NaN);
  return () => pids.map((pid, index) => (cpuSeconds(pid) ?? NaN) - (before[index] ?? NaN));
}

function read(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return undefined;
  }
}
