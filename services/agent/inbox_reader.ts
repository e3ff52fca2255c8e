/**
 * Reading what arrived: for the commands that show and clear the inbox and the received files. Needs no agent.
 *
 * Every function takes the folder itself (`~/.pilot/inbox`, `~/.pilot/received`), tolerates a missing one, and
 * skips files that are none of its own or broken.
 */

import { join } from "node:path";
import {
  compareStampedNames,
  isInboxName,
  isTemporaryName,
  localRfc3339,
  type MessageType,
} from "./inbox_names.ts";

const READ_CONCURRENCY = 16;

/** A message as it lies in the inbox. Fields that end in `?` are missing in files of other implementations. */
export interface InboxMessage {
  /** File name within the inbox folder. */
  readonly file: string;
  readonly id?: string;
  readonly type: MessageType;
  readonly from: string;
  /** The text; bytes that are not UTF-8 are replaced by U+FFFD. */
  readonly data: string;
  readonly data_b64?: string;
  readonly data_encoding?: string;
  /** Length of the payload. */
  readonly bytes: number;
  /** RFC 3339. */
  readonly received_at: string;
  readonly from_key?: string;
  readonly authenticated?: boolean;
}

/** A received file. */
export interface ReceivedFile {
  readonly name: string;
  readonly bytes: number;
  /** RFC 3339, local zone. */
  readonly modified: string;
  readonly path: string;
}

/** All messages, the oldest first. */
export async function listInbox(directory: string): Promise<InboxMessage[]> {
  const names = (await plainFiles(directory)).filter(isInboxName);
  const messages: InboxMessage[] = [];
  for (let start = 0; start < names.length; start += READ_CONCURRENCY) {
    const batch = names.slice(start, start + READ_CONCURRENCY).map((name) => readInboxFile(directory, name));
    for (const message of await Promise.all(batch)) if (message !== undefined) messages.push(message);
  }
  return messages
    .map((message) => ({ message, time: Date.parse(message.received_at) }))
    .sort((a, b) => a.time - b.time || compareStampedNames(a.message.file, b.message.file))
    .map(({ message }) => message);
}

/** One message by its `id` or its file name. */
export async function readMessage(directory: string, idOrFile: string): Promise<InboxMessage | undefined> {
  if (isInboxName(idOrFile)) return await readInboxFile(directory, idOrFile);
  return (await listInbox(directory)).find((message) => message.id === idOrFile);
}

/** Deletes all messages and returns their number. Other files stay. */
export async function clearInbox(directory: string): Promise<number> {
  return await removeAll(directory, (await plainFiles(directory)).filter(isInboxName));
}

/** All received files, the oldest first. */
export async function listReceived(directory: string): Promise<ReceivedFile[]> {
  const found: { file: ReceivedFile; time: number }[] = [];
  for (const name of await plainFiles(directory)) {
    const path = join(directory, name);
    const info = await ifExists(Deno.lstat(path));
    if (info === undefined) continue;
    const time = info.mtime?.getTime() ?? 0;
    found.push({ file: { name, bytes: info.size, modified: localRfc3339(time), path }, time });
  }
  return found.sort((a, b) => a.time - b.time || compareStampedNames(a.file.name, b.file.name)).map((
    { file },
  ) => file);
}

/** Deletes all received files and returns their number. Folders stay. */
export async function clearReceived(directory: string): Promise<number> {
  return await removeAll(directory, await plainFiles(directory));
}

async function plainFiles(directory: string): Promise<string[]> {
  const names: string[] = [];
  try {
    for await (const entry of Deno.readDir(directory)) {
      if (entry.isFile && !isTemporaryName(entry.name)) names.push(entry.name);
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return names;
}

async function removeAll(directory: string, names: readonly string[]): Promise<number> {
  let removed = 0;
  for (const name of names) {
    const gone = await ifExists(Deno.remove(join(directory, name)).then(() => true));
    if (gone === true) removed++;
  }
  return removed;
}

async function readInboxFile(directory: string, file: string): Promise<InboxMessage | undefined> {
  const text = await ifExists(Deno.readTextFile(join(directory, file)));
  if (text === undefined) return undefined;
  try {
    return parseMessage(file, JSON.parse(text));
  } catch {
    return undefined;
  }
}

function parseMessage(file: string, json: unknown): InboxMessage | undefined {
  if (typeof json !== "object" || json === null) return undefined;
  const fields = new Map<string, unknown>(Object.entries(json));
  const text = (key: string): string | undefined => {
    const value = fields.get(key);
    return typeof value === "string" ? value : undefined;
  };
  const type = messageType(text("type"));
  const [from, data, receivedAt] = [text("from"), text("data"), text("received_at")];
  const bytes = fields.get("bytes");
  if (type === undefined || from === undefined || data === undefined || typeof bytes !== "number") {
    return undefined;
  }
  if (receivedAt === undefined || Number.isNaN(Date.parse(receivedAt))) return undefined;
  const [id, key, base64, encoding] = [text("id"), text("from_key"), text("data_b64"), text("data_encoding")];
  const authenticated = fields.get("authenticated");
  return {
    file,
    ...(id === undefined ? {} : { id }),
    type,
    from,
    data,
    ...(base64 === undefined ? {} : { data_b64: base64 }),
    ...(encoding === undefined ? {} : { data_encoding: encoding }),
    bytes,
    received_at: receivedAt,
    ...(key === undefined ? {} : { from_key: key }),
    ...(typeof authenticated === "boolean" ? { authenticated } : {}),
  };
}

function messageType(text: string | undefined): MessageType | undefined {
  return text === "TEXT" || text === "BINARY" || text === "JSON" ? text : undefined;
}

async function ifExists<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
