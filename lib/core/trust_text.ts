/**
 * Text that strangers wrote and operators read.
 *
 * Control and formatting characters can rewrite a terminal, reorder what is shown or hide instructions from a human
 * reader, so none of them is stored.
 */

import { encodeUtf8 } from "../wire/bytes.ts";
import { MAX_TEXT_BYTES } from "./trust_constants.ts";

/**
 * `text` on one line, safe to show: white space becomes single spaces; control, formatting (bidirectional marks,
 * zero-width and tag characters), surrogate and private-use characters go; at most `maxBytes` bytes of UTF-8 stay.
 */
export function displayText(text: string, maxBytes: number = MAX_TEXT_BYTES): string {
  // Nothing beyond this many UTF-16 units can matter much; a bound before the expressions see the text.
  const clean = text.slice(0, 4 * maxBytes)
    .replace(/[\s\p{Zl}\p{Zp}]+/gu, " ")
    .replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Co}]/gu, "")
    .trim();
  return truncateUtf8(clean, maxBytes);
}

/** The longest prefix of `text` of at most `maxBytes` bytes of UTF-8 that ends between characters. */
export function truncateUtf8(text: string, maxBytes: number): string {
  if (encodeUtf8(text).length <= maxBytes) return text;
  let bytes = 0;
  let length = 0;
  for (const character of text) {
    bytes += encodeUtf8(character).length;
    if (bytes > maxBytes) break;
    length += character.length;
  }
  return text.slice(0, length);
}
