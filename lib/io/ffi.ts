/** Whether native libraries may be called. */

/** Whether this process may call native code. Never asks the user: what needs it has a slower substitute. */
export function mayUseFfi(): boolean {
  return Deno.permissions.querySync({ name: "ffi" }).state === "granted";
}

/** The value of an environment variable; `undefined` too when this process may not read it. */
export function readEnv(name: string): string | undefined {
  if (Deno.permissions.querySync({ name: "env", variable: name }).state !== "granted") return undefined;
  return Deno.env.get(name) || undefined;
}
