import { assert, assertEquals, assertThrows } from "../assert.ts";
import { type Aead, type AeadProvider, InPlaceAead, nobleAead } from "../../lib/crypto/aead.ts";
import { chooseAead } from "../../lib/io/aead_choice.ts";
import { passesSelfTest } from "../../lib/io/aead_self_test.ts";
import { nodeAead } from "../../lib/io/node_aead.ts";
import { openSslAead } from "../../lib/io/openssl.ts";
import { PilotError } from "../../lib/wire/error.ts";

const openssl = openSslAead();

Deno.test("aead choice: the fastest there is, or the one insisted on", () => {
  assertEquals(chooseAead(undefined).name, openssl === undefined ? "node" : "openssl");
  assertEquals(chooseAead("node"), nodeAead);
  assertEquals(chooseAead("noble"), nobleAead);
  const error = assertThrows(() => chooseAead("rot13"), PilotError, "rot13");
  assertEquals(error.code, "invalid_argument");
});

Deno.test({ name: "aead choice: openssl by name", ignore: openssl === undefined }, () => {
  assertEquals(chooseAead("openssl").name, "openssl");
});

Deno.test("openssl: where OpenSSL 3 is installed, it is used", () => {
  let installed = true;
  try {
    Deno.dlopen("libcrypto.so.3", {}).close();
  } catch {
    installed = false;
  }
  assert(!installed || openssl !== undefined);
});

Deno.test("aead choice: without leave to call native code it falls back, and insisting says why", async () => {
  const code = `
    import { chooseAead } from ${JSON.stringify(new URL("../../lib/io/aead_choice.ts", import.meta.url))};
    console.log(chooseAead().name);
    try { chooseAead("openssl"); } catch (error) { console.log(error.code); }
  `;
  const config = new URL("../../deno.json", import.meta.url).pathname;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--allow-env=PILOT_AEAD", "--config", config, "--ext=ts", "-"],
    env: { PILOT_AEAD: "" },
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  await new Response(code).body?.pipeTo(child.stdin);
  const { stdout } = await child.output();
  assertEquals(new TextDecoder().decode(stdout), "node\nunavailable\n");
});

/** A provider that makes one kind of mistake. */
class Broken extends InPlaceAead {
  readonly #inner: Aead;
  readonly #fault: "seal" | "open" | "accept";
  constructor(key: Uint8Array, fault: "seal" | "open" | "accept") {
    super();
    this.#inner = nobleAead.create(key);
    this.#fault = fault;
  }
  override sealInto(nonce: Uint8Array, plaintext: Uint8Array, aad: Uint8Array, target: Uint8Array): void {
    this.#inner.sealInto(nonce, plaintext, this.#fault === "seal" ? new Uint8Array(0) : aad, target);
  }
  override openInto(
    nonce: Uint8Array,
    ciphertext: Uint8Array,
    aad: Uint8Array,
    target: Uint8Array,
  ): boolean {
    const genuine = this.#inner.openInto(nonce, ciphertext, aad, target);
    if (this.#fault === "open") target[0] = (target[0] ?? 0) ^ 1;
    return genuine || this.#fault === "accept";
  }
}

Deno.test("aead self-test: passes what works, fails each kind of mistake", () => {
  for (const provider of [nobleAead, nodeAead]) assert(passesSelfTest(provider));
  for (const fault of ["seal", "open", "accept"] as const) {
    const broken: AeadProvider = { name: fault, create: (key) => new Broken(key, fault) };
    assert(!passesSelfTest(broken), fault);
  }
});

Deno.test(
  { name: "openssl: thousands of short-lived keys are no burden", ignore: openssl === undefined },
  () => {
    const nonce = new Uint8Array(12);
    for (let i = 0; i < 5000; i++) {
      const aead = (openssl ?? nobleAead).create(new Uint8Array(32).fill(i));
      assertEquals(aead.seal(nonce, nonce, nonce).length, 28);
    }
  },
);
