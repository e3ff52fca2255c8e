/**
 * A reader for the XML that routers speak: elements and their text. Attributes, comments and processing instructions
 * are passed over, name prefixes cut off.
 *
 * It is for untrusted input: the document, the depth and the number of elements are bounded, and a document type
 * declaration, the only way to define entities that grow, is refused.
 */

/** Longest document, UTF-16 units. */
const MAX_LENGTH = 65_536;
/** Device descriptions of real routers nest about ten deep and have a few hundred elements. */
const MAX_DEPTH = 32;
const MAX_ELEMENTS = 4096;

/** An element: its name without prefix, its own text trimmed, and the elements in it. */
export interface XmlElement {
  readonly name: string;
  readonly text: string;
  readonly children: readonly XmlElement[];
}

/** Why a text is not taken. */
export type XmlProblem = "too-large" | "too-deep" | "doctype" | "malformed";

interface OpenElement {
  readonly fullName: string;
  readonly children: XmlElement[];
  text: string;
}

const ENTITIES: ReadonlyMap<string, string> = new Map([
  ["amp", "&"],
  ["lt", "<"],
  ["gt", ">"],
  ["quot", '"'],
  ["apos", "'"],
]);

/** What may stand at a `<`: sticky, so that each is looked for at one place only. */
const NAME = String.raw`[A-Za-z_][\w.:-]*`;
const START_TAG = new RegExp(String.raw`<(${NAME})(?:\s+${NAME}\s*=\s*(?:"[^"<]*"|'[^'<]*'))*\s*(/?)>`, "y");
const END_TAG = new RegExp(String.raw`</(${NAME})\s*>`, "y");

/** Reads a document, and returns its root element. */
export function parseXml(document: string): XmlElement | XmlProblem {
  if (document.length > MAX_LENGTH) return "too-large";
  // Some routers end their documents with the NUL of a C string.
  const source = document.replace(/^\uFEFF/, "").replace(/[\s\0]+$/, "");
  const top: OpenElement = { fullName: "", children: [], text: "" };
  const open: OpenElement[] = [];
  let current = top;
  let elements = 0;
  for (let at = 0; at < source.length;) {
    const next = source.indexOf("<", at);
    const text = unescapeXml(source.slice(at, next < 0 ? undefined : next));
    if (text === undefined) return "malformed";
    current.text += text;
    if (next < 0) break;
    at = next;
    const passed = passOver(source, at);
    if (typeof passed === "string") return passed;
    if (passed !== undefined) {
      current.text += passed.text;
      at = passed.end;
      continue;
    }
    const end = matchAt(END_TAG, source, at);
    if (end !== undefined) {
      const parent = open.pop();
      if (parent === undefined || end[1] !== current.fullName) return "malformed";
      parent.children.push(finished(current));
      current = parent;
      at = END_TAG.lastIndex;
      continue;
    }
    const start = matchAt(START_TAG, source, at);
    if (start === undefined) return "malformed";
    if (++elements > MAX_ELEMENTS) return "too-large";
    const element: OpenElement = { fullName: start[1] ?? "", children: [], text: "" };
    if (start[2] === "/") {
      current.children.push(finished(element));
    } else {
      if (open.length >= MAX_DEPTH) return "too-deep";
      open.push(current);
      current = element;
    }
    at = START_TAG.lastIndex;
  }
  const [root, surplus] = top.children;
  const whole = open.length === 0 && top.text.trim() === "" && surplus === undefined;
  return root !== undefined && whole ? root : "malformed";
}

/** The element itself and all below it that bear a name, in the order of the document. */
export function findElements(root: XmlElement, name: string): XmlElement[] {
  const below = root.children.flatMap((child) => findElements(child, name));
  return root.name === name ? [root, ...below] : below;
}

/** The text of the first child that bears a name. */
export function childText(element: XmlElement, name: string): string | undefined {
  return element.children.find((child) => child.name === name)?.text;
}

/** Text as it stands in an element. */
export function escapeXml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

/** Comments, instructions and CDATA sections at `at`: where they end, and the text that they stand for. */
function passOver(source: string, at: number): { end: number; text: string } | XmlProblem | undefined {
  if (source.startsWith("<!--", at)) return section(source, at, { open: 4, close: "-->", keep: false });
  if (source.startsWith("<![CDATA[", at)) return section(source, at, { open: 9, close: "]]>", keep: true });
  if (source.startsWith("<?", at)) return section(source, at, { open: 2, close: "?>", keep: false });
  return source.startsWith("<!", at) ? "doctype" : undefined;
}

function section(
  source: string,
  at: number,
  { open, close, keep }: { open: number; close: string; keep: boolean },
): { end: number; text: string } | XmlProblem {
  const end = source.indexOf(close, at + open);
  if (end < 0) return "malformed";
  return { end: end + close.length, text: keep ? source.slice(at + open, end) : "" };
}

function matchAt(pattern: RegExp, source: string, at: number): RegExpExecArray | undefined {
  pattern.lastIndex = at;
  return pattern.exec(source) ?? undefined;
}

function finished({ fullName, children, text }: OpenElement): XmlElement {
  return { name: fullName.slice(fullName.indexOf(":") + 1), text: text.trim(), children };
}

/** Replaces the five entities of XML and character references; `undefined` when there is any other. */
function unescapeXml(text: string): string | undefined {
  if (!text.includes("&")) return text;
  let good = true;
  const result = text.replaceAll(
    /&(?:#x([0-9a-fA-F]{1,6})|#([0-9]{1,7})|([a-z]{1,8}));|&/g,
    (_, hex, decimal, name) => {
      const code = hex !== undefined
        ? Number.parseInt(hex, 16)
        : decimal !== undefined
        ? Number(decimal)
        : undefined;
      const known = code === undefined
        ? ENTITIES.get(String(name))
        : code <= 0x10ffff
        ? String.fromCodePoint(code)
        : undefined;
      good &&= known !== undefined;
      return known ?? "";
    },
  );
  return good ? result : undefined;
}
