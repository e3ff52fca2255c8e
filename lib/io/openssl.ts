/** AES-256-GCM of OpenSSL's libcrypto, called in process: about ten times as fast as `node:crypto`. */

import {
  type Aead,
  type AeadProvider,
  InPlaceAead,
  requireKeySize,
  requireOpenSizes,
  requireSealSizes,
  TAG_SIZE,
} from "../crypto/aead.ts";
import { passesSelfTest } from "./aead_self_test.ts";
import { mayUseFfi } from "./ffi.ts";

/** Versioned names only: macOS ends a process that loads its own unversioned libcrypto. */
const LIBRARIES: Readonly<Partial<Record<typeof Deno.build.os, readonly string[]>>> = {
  linux: ["libcrypto.so.3", "libcrypto.so.1.1"],
  darwin: [
    "libcrypto.3.dylib",
    "/opt/homebrew/opt/openssl@3/lib/libcrypto.3.dylib",
    "/usr/local/opt/openssl@3/lib/libcrypto.3.dylib",
  ],
};

/** `EVP_CTRL_AEAD_GET_TAG` and `EVP_CTRL_AEAD_SET_TAG` of openssl/evp.h. */
const GET_TAG = 0x10;
const SET_TAG = 0x11;

const SYMBOLS = {
  EVP_CIPHER_CTX_new: { parameters: [], result: "pointer" },
  EVP_CIPHER_CTX_free: { parameters: ["pointer"], result: "void" },
  EVP_CIPHER_CTX_ctrl: { parameters: ["pointer", "i32", "i32", "buffer"], result: "i32" },
  EVP_aes_256_gcm: { parameters: [], result: "pointer" },
  EVP_EncryptInit_ex: { parameters: ["pointer", "pointer", "pointer", "buffer", "buffer"], result: "i32" },
  EVP_EncryptUpdate: { parameters: ["pointer", "buffer", "buffer", "buffer", "i32"], result: "i32" },
  EVP_EncryptFinal_ex: { parameters: ["pointer", "buffer", "buffer"], result: "i32" },
  EVP_DecryptInit_ex: { parameters: ["pointer", "pointer", "pointer", "buffer", "buffer"], result: "i32" },
  EVP_DecryptUpdate: { parameters: ["pointer", "buffer", "buffer", "buffer", "i32"], result: "i32" },
  EVP_DecryptFinal_ex: { parameters: ["pointer", "buffer", "buffer"], result: "i32" },
} as const;

type Symbols = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];
type Context = NonNullable<Deno.PointerValue>;

function load(): AeadProvider | undefined {
  if (!mayUseFfi()) return undefined;
  for (const name of LIBRARIES[Deno.build.os] ?? []) {
    const symbols = openLibrary(name);
    if (symbols === undefined) continue;
    const provider = providerOf(symbols);
    if (works(provider)) return provider;
  }
  return undefined;
}

/** The functions of a library; `undefined` when it is not there or one is missing. */
function openLibrary(name: string): Symbols | undefined {
  try {
    return Deno.dlopen(name, SYMBOLS).symbols;
  } catch {
    return undefined;
  }
}

function works(provider: AeadProvider): boolean {
  try {
    return passesSelfTest(provider);
  } catch {
    return false;
  }
}

function providerOf(symbols: Symbols): AeadProvider {
  const contexts = new FinalizationRegistry<Context>((context) => symbols.EVP_CIPHER_CTX_free(context));
  return {
    name: "openssl",
    create(key: Uint8Array): Aead {
      requireKeySize(key);
      const aead = new OpenSslAead(symbols, key);
      for (const context of aead.contexts) contexts.register(aead, context);
      return aead;
    },
  };
}

/** One context for each direction, with the key schedule in it; a packet brings its nonce only. */
class OpenSslAead extends InPlaceAead {
  /** What to free. */
  readonly contexts: readonly Context[];
  readonly #symbols: Symbols;
  readonly #sealing: Context;
  readonly #opening: Context;
  /** Where OpenSSL writes lengths, which are known. */
  readonly #length = new Int32Array(1);
  readonly #tag = new Uint8Array(TAG_SIZE);
  /** What the end of a message would add, which is nothing in this mode. */
  readonly #rest = new Uint8Array(TAG_SIZE);

  constructor(symbols: Symbols, key: Uint8Array) {
    super();
    this.#symbols = symbols;
    this.#sealing = newContext(symbols);
    this.#opening = newContext(symbols);
    this.contexts = [this.#sealing, this.#opening];
    const cipher = symbols.EVP_aes_256_gcm();
    requireSuccess(symbols.EVP_EncryptInit_ex(this.#sealing, cipher, null, plain(key), null));
    requireSuccess(symbols.EVP_DecryptInit_ex(this.#opening, cipher, null, plain(key), null));
  }

  override sealInto(nonce: Uint8Array, plaintext: Uint8Array, aad: Uint8Array, target: Uint8Array): void {
    requireSealSizes(nonce, plaintext, target);
    const symbols = this.#symbols;
    const context = this.#sealing;
    const size = plaintext.length;
    // Empty input would be taken for the end of the message.
    const done = symbols.EVP_EncryptInit_ex(context, null, null, null, plain(nonce)) === 1 &&
      (aad.length === 0 ||
        symbols.EVP_EncryptUpdate(context, null, this.#length, plain(aad), aad.length) === 1) &&
      (size === 0 ||
        symbols.EVP_EncryptUpdate(context, plain(target), this.#length, plain(plaintext), size) === 1) &&
      symbols.EVP_EncryptFinal_ex(context, this.#tag, this.#length) === 1 &&
      symbols.EVP_CIPHER_CTX_ctrl(context, GET_TAG, TAG_SIZE, this.#tag) === 1;
    if (!done) {
      target.fill(0, 0, size);
      throw new Error("OpenSSL could not encrypt");
    }
    target.set(this.#tag, size);
  }

  override openInto(
    nonce: Uint8Array,
    ciphertext: Uint8Array,
    aad: Uint8Array,
    target: Uint8Array,
  ): boolean {
    if (ciphertext.length < TAG_SIZE) return false;
    requireOpenSizes(nonce, ciphertext, target);
    const symbols = this.#symbols;
    const context = this.#opening;
    const size = ciphertext.length - TAG_SIZE;
    // Byte by byte costs less than a view.
    for (let i = 0; i < TAG_SIZE; i++) this.#tag[i] = ciphertext[size + i] ?? 0;
    const genuine = symbols.EVP_DecryptInit_ex(context, null, null, null, plain(nonce)) === 1 &&
      (aad.length === 0 ||
        symbols.EVP_DecryptUpdate(context, null, this.#length, plain(aad), aad.length) === 1) &&
      (size === 0 ||
        symbols.EVP_DecryptUpdate(context, plain(target), this.#length, plain(ciphertext), size) === 1) &&
      symbols.EVP_CIPHER_CTX_ctrl(context, SET_TAG, TAG_SIZE, this.#tag) === 1 &&
      symbols.EVP_DecryptFinal_ex(context, this.#rest, this.#length) === 1;
    // OpenSSL decrypts before it knows the tag.
    if (!genuine) target.fill(0, 0, size);
    return genuine;
  }
}

/** Native code takes any bytes; the type of the runtime leaves out shared ones. */
function plain(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes as Uint8Array<ArrayBuffer>;
}

function newContext(symbols: Symbols): Context {
  const context = symbols.EVP_CIPHER_CTX_new();
  if (context === null) throw new Error("OpenSSL has no memory for a key");
  return context;
}

function requireSuccess(result: number): void {
  if (result !== 1) throw new Error("OpenSSL does not take the key");
}

// When the module is loaded, and never closed: a library belongs to the process, not to one key.
const provider = load();

/**
 * The provider on the libcrypto of this computer; `undefined` when there is none, when this process may not call
 * native code, or when the library fails a known answer.
 */
export function openSslAead(): AeadProvider | undefined {
  return provider;
}
