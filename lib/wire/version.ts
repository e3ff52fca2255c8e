/** The version of this program, as told to registries and on the command line. */

/** Semantic version. */
export const VERSION = "0.1.0";
