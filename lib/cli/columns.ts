/**
 * Aligned columns of text.
 */

/** Lines of `rows` with every column as wide as its widest cell, two spaces apart, no trailing spaces. */
export function columns(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, index) => widths[index] = Math.max(widths[index] ?? 0, [...cell].length));
  }
  return rows.map((row) =>
    row.map((cell, index) => cell + " ".repeat((widths[index] ?? 0) - [...cell].length)).join("  ").trimEnd()
  );
}

/** `columns` with each line moved in by two spaces. */
export function indentedColumns(rows: readonly (readonly string[])[]): string[] {
  return columns(rows).map((line) => `  ${line}`);
}

/** Text of a peer made safe for a terminal: control characters, which could move the cursor, become `\u{..}`. */
export function printable(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, escaped);
}

function escaped(character: string): string {
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}
