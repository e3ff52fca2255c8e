/** The published test vectors, typed. */

import vectors from "../vectors/wire.json" with { type: "json" };

export { vectors };
