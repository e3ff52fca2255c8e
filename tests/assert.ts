/** Assertions for the tests: the one place that imports the assertion package. */

// @ts-types="../types/std_assert.d.ts"
export * from "@std/assert";
