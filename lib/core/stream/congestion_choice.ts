/**
 * The congestion controllers by name, and the one that streams use.
 */

import { bbr } from "./bbr.ts";
import type { CongestionFactory } from "./congestion.ts";
import { cubic } from "./cubic.ts";

/** All controllers. */
export const CONTROLLERS: Readonly<Record<"bbr" | "cubic", CongestionFactory>> = { bbr, cubic };

/** The controller of a stream that asks for no other. The goodput table of the tests compares them. */
export const defaultCongestion: CongestionFactory = bbr;
