/**
 * The file names of delivered messages and files.
 *
 * ```text
 * inbox/     <TYPE>-<YYYYMMDD>-<HHMMSS>.<mmm>[-<counter>].json      TYPE is TEXT, BINARY or JSON
 * received/  <base>-<YYYYMMDD>-<HHMMSS>.<mmm>[-<counter>]<ext>      base and ext: the sent name, split at its last dot
 * ```
 *
 * Times are local, as every program that reads these folders expects. The counter separates two arrivals of one
 * millisecond.
 */

/** The kinds of messages that end in the inbox. */
export type MessageType = "TEXT" | "BINARY" | "JSON";

/** Longest file name in bytes that common file systems take. */
const MAX_NAME_BYTES = 255;
/** Room kept for `-YYYYMMDD-HHMMSS.mmm` and a counter of five digits. */
const STAMP_BYTES = 26;
/** Longest extension kept, in bytes with its dot; what exceeds it is cut. */
const MAX_EXTENSION_BYTES = 64;

const INBOX_NAME = /^(?:TEXT|BINARY|JSON)-(\d{8}-\d{6}\.\d{3})(?:-(\d{1,5}))?\.json$/;
const RECEIVED_NAME = /-(\d{8}-\d{6}\.\d{3})(?:-(\d{1,5}))?(?:\.[^.]*)?$/;
const TEMPORARY_NAME = /^\.tmp-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
// Controls, invisible format characters (they can reorder text on a terminal) and separators.
const UNSAFE = /[\\\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** A name in two parts, between which the time stamp goes. */
export interface NameParts {
  readonly base: string;
  readonly extension: string;
}

/** The time part of a file name: `YYYYMMDD-HHMMSS.mmm` in local time. */
export function localStamp(unixMs: number): string {
  const date = new Date(unixMs);
  const day = `${pad(date.getFullYear(), 4)}${pad(date.getMonth() + 1, 2)}${pad(date.getDate(), 2)}`;
  const time = `${pad(date.getHours(), 2)}${pad(date.getMinutes(), 2)}${pad(date.getSeconds(), 2)}`;
  return `${day}-${time}.${pad(date.getMilliseconds(), 3)}`;
}

/** The time as RFC 3339 in the local zone, whole seconds; `Z` where the offset is zero. */
export function localRfc3339(unixMs: number): string {
  const date = new Date(unixMs);
  const offset = -date.getTimezoneOffset();
  const local = new Date(unixMs + offset * 60_000).toISOString().slice(0, 19);
  if (offset === 0) return `${local}Z`;
  const minutes = Math.abs(offset);
  return `${local}${offset < 0 ? "-" : "+"}${pad(Math.floor(minutes / 60), 2)}:${pad(minutes % 60, 2)}`;
}

/**
 * Splits a name chosen by a peer into the parts it is stored under.
 *
 * Only what follows the last `/` counts, so the result never leaves its folder; control and invisible characters
 * and backslashes become `_`; overlong names are cut between characters.
 */
export function receivedNameParts(sent: string): NameParts {
  const component = lastComponent(sent).replaceAll(UNSAFE, "_");
  const dot = component.lastIndexOf(".");
  const base = dot < 0 ? component : component.slice(0, dot);
  const extension = dot < 0 ? "" : component.slice(dot);
  const keptExtension = cutToBytes(extension, MAX_EXTENSION_BYTES);
  return {
    base: cutToBytes(base, MAX_NAME_BYTES - STAMP_BYTES - MAX_EXTENSION_BYTES),
    extension: keptExtension,
  };
}

/** The full file name; `counter` 0 leaves the counter out. */
export function stampedName(parts: NameParts, stamp: string, counter = 0): string {
  return `${parts.base}-${stamp}${counter === 0 ? "" : `-${counter}`}${parts.extension}`;
}

/** A name for a file being written. No stored file has such a name. */
export function temporaryName(): string {
  return `.tmp-${crypto.randomUUID()}`;
}

/** Whether a name was given by {@link temporaryName}. */
export function isTemporaryName(name: string): boolean {
  return TEMPORARY_NAME.test(name);
}

/** Whether a file in `inbox/` carries a name given here. */
export function isInboxName(name: string): boolean {
  return INBOX_NAME.test(name);
}

/** Whether a file in `received/` carries a name given here. */
export function isReceivedName(name: string): boolean {
  return RECEIVED_NAME.test(name);
}

/** Orders the names of stored messages or files by time stamp, then counter, then name. */
export function compareStampedNames(a: string, b: string): number {
  const parts = (name: string) => INBOX_NAME.exec(name) ?? RECEIVED_NAME.exec(name);
  const [first, second] = [parts(a), parts(b)];
  const byStamp = compareText(first?.[1] ?? "", second?.[1] ?? "");
  if (byStamp !== 0) return byStamp;
  const byCounter = Number(first?.[2] ?? 0) - Number(second?.[2] ?? 0);
  return byCounter !== 0 ? byCounter : compareText(a, b);
}

/** Orders by UTF-16 code units, independent of the locale. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

// As of POSIX basename: trailing separators do not count.
function lastComponent(path: string): string {
  const trimmed = path.replace(/\/+$/, "");
  return trimmed.slice(trimmed.lastIndexOf("/") + 1);
}

function cutToBytes(text: string, limit: number): string {
  const encoder = new TextEncoder();
  let bytes = 0;
  let kept = "";
  for (const character of text) {
    bytes += encoder.encode(character).length;
    if (bytes > limit) break;
    kept += character;
  }
  return kept;
}

function pad(value: number, digits: number): string {
  return String(value).padStart(digits, "0");
}
