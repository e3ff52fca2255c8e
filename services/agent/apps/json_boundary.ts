/** Where a JSON object or array ends in a stream of bytes, found by counting brackets outside strings. */

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACKET = 0x5b;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACKET = 0x5d;
const CLOSE_BRACE = 0x7d;

/** Whether a byte begins a JSON object or array. */
export function opensJson(byte: number | undefined): boolean {
  return byte === OPEN_BRACE || byte === OPEN_BRACKET;
}

/** Whether a byte is JSON white space (RFC 8259 section 2). */
export function isJsonSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

/** Follows one value from its opening bracket. Does not judge whether the text between the brackets is JSON. */
export class JsonBoundary {
  #depth = 0;
  #inString = false;
  #escaped = false;

  /** Feeds bytes; returns how many of them belong to the value once its last bracket was seen. */
  push(bytes: Uint8Array): number | undefined {
    let at = 0;
    for (const byte of bytes) {
      at++;
      if (this.#inString) this.#insideString(byte);
      else if (byte === QUOTE) this.#inString = true;
      else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) this.#depth++;
      else if ((byte === CLOSE_BRACE || byte === CLOSE_BRACKET) && --this.#depth === 0) return at;
    }
    return undefined;
  }

  #insideString(byte: number): void {
    if (this.#escaped) this.#escaped = false;
    else if (byte === BACKSLASH) this.#escaped = true;
    else if (byte === QUOTE) this.#inString = false;
  }
}
