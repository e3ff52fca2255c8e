/**
 * The proxy as it is now: one that was told, or the answer of a command that is asked again when it is old or the
 * proxy refuses the credentials. Sandboxes change them every few minutes.
 */

import { PilotError } from "../wire/error.ts";
import { parseProxy, type Proxy, proxyFor, type ProxySettings } from "./proxy.ts";

/** An answer of the command is believed for this time, milliseconds. */
const COMMAND_TTL_MS = 60_000;
/** The command may take this long, milliseconds. */
const COMMAND_TIMEOUT_MS = 10_000;
const HINT = "run it by hand: it must print the URL of the proxy on one line";

/** Knows the proxy for a target. */
export class ProxySource {
  readonly #settings: ProxySettings;
  #cached: { readonly proxy: Proxy; readonly at: number } | undefined;

  constructor(settings: ProxySettings) {
    this.#settings = settings;
  }

  /** Whether another try after a refusal may have other credentials. */
  get isRefreshable(): boolean {
    return this.#settings.command !== undefined && this.#settings.proxy !== "off";
  }

  /** Whether some proxy is to be used for this target. @throws PilotError `invalid_argument` for one that cannot be */
  isConfigured(target: { readonly host: string; readonly port: number }): boolean {
    return this.isRefreshable || proxyFor(target, this.#settings) !== undefined;
  }

  /**
   * The proxy for a target, `undefined` for none; `fresh` asks the command again however young its answer is.
   *
   * @throws PilotError `invalid_argument` for a proxy that cannot be used, `unavailable` when the command fails
   */
  async get(
    target: { readonly host: string; readonly port: number },
    options: { readonly fresh?: boolean; readonly signal?: AbortSignal } = {},
  ): Promise<Proxy | undefined> {
    const { command } = this.#settings;
    if (command === undefined || !this.isRefreshable) return proxyFor(target, this.#settings);
    const cached = options.fresh === true ? undefined : this.#cached;
    if (cached !== undefined && performance.now() - cached.at < COMMAND_TTL_MS) return cached.proxy;
    const proxy = parseProxy(await ask(command, options.signal));
    this.#cached = { proxy, at: performance.now() };
    return proxy;
  }
}

/** The first line that a shell command prints. */
async function ask(command: string, signal: AbortSignal | undefined): Promise<string> {
  const limit = AbortSignal.timeout(COMMAND_TIMEOUT_MS);
  const [shell, flag] = Deno.build.os === "windows" ? ["cmd", "/c"] : ["/bin/sh", "-c"];
  const failed = (reason: string) =>
    new PilotError("unavailable", `the command for the proxy ${reason}`, { hint: HINT });
  const { success, code, stdout } = await new Deno.Command(shell, {
    args: [flag, command],
    stdin: "null",
    stderr: "null",
    signal: signal === undefined ? limit : AbortSignal.any([limit, signal]),
  }).output();
  signal?.throwIfAborted();
  if (limit.aborted) throw failed(`did not end within ${COMMAND_TIMEOUT_MS / 1_000} s`);
  if (!success) throw failed(`ended with status ${code}`);
  const line = new TextDecoder().decode(stdout.subarray(0, 8_192)).split("\n").map((text) => text.trim())
    .find((text) => text !== "");
  if (line === undefined) throw failed("printed nothing");
  return line;
}
