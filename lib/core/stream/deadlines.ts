/**
 * The earliest of several deadlines.
 */

import type { Instant } from "../machine.ts";

/** The earlier of two deadlines, of which each may be none. */
export function earlier(a: Instant | undefined, b: Instant | undefined): Instant | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return a < b ? a : b;
}
