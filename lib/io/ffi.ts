/** Whether native libraries may be called, and the one that several parts call. */

/** Whether this process may call native code. Never asks the user: what needs it has a slower substitute. */
export function mayUseFfi(): boolean {
  return Deno.permissions.querySync({ name: "ffi" }).state === "granted";
}

/**
 * Functions of the C library of Linux; `undefined` when this is not a Linux with glibc or native code is not allowed.
 * Never closed: a library belongs to the process.
 */
export function openLibc<const Symbols extends Deno.ForeignLibraryInterface>(
  symbols: Symbols,
): Deno.DynamicLibrary<Symbols>["symbols"] | undefined {
  if (Deno.build.os !== "linux" || !mayUseFfi()) return undefined;
  try {
    return Deno.dlopen("libc.so.6", symbols).symbols;
  } catch {
    return undefined;
  }
}

/** The value of an environment variable; `undefined` too when this process may not read it. */
export function readEnv(name: string): string | undefined {
  if (Deno.permissions.querySync({ name: "env", variable: name }).state !== "granted") return undefined;
  return Deno.env.get(name) || undefined;
}
