/** The head of an HTTP/1.1 request (RFC 9112), as far as a WebSocket server needs it. */

/** A request. Names of headers are in lower case; repeated ones are joined by commas. */
export interface HttpHead {
  readonly method: string;
  /** Path without the query. */
  readonly path: string;
  readonly headers: Record<string, string>;
}

const REQUEST_LINE = /^([A-Z]{3,10}) (\/[!-~]*) HTTP\/1\.1$/;
const FIELD = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\0]*?)[ \t]*$/;
const MAX_FIELDS = 64;

/** Reads a head without its final empty line, `undefined` when it is none. */
export function decodeHttpHead(text: string): HttpHead | undefined {
  const [line = "", ...fields] = text.split("\r\n");
  const [, method, target] = REQUEST_LINE.exec(line) ?? [];
  if (method === undefined || target === undefined || fields.length > MAX_FIELDS) return undefined;
  const headers = new Map<string, string>();
  for (const field of fields) {
    const [, name, value] = FIELD.exec(field) ?? [];
    if (name === undefined || value === undefined) return undefined;
    const key = name.toLowerCase();
    const before = headers.get(key);
    headers.set(key, before === undefined ? value : `${before}, ${value}`);
  }
  const [path = "/"] = target.split("?", 1);
  return { method, path, headers: Object.fromEntries(headers) };
}

/** The elements of a header that is a list, in lower case. */
export function listElements(value: string | undefined): string[] {
  return (value ?? "").split(",").map((element) => element.trim().toLowerCase()).filter((text) =>
    text !== ""
  );
}
