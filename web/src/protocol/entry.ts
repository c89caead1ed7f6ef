/** An entry: the sequencer's stamp around a command, its bytes and its hash. */

import { Malformed, Reader, concat, fromLittleEndian } from "./bytes.js";
import { COMMANDS } from "./commands.js";
import type { Layout } from "./commands.js";
import { signature as signatureField, u16, u64, u8 } from "./fields.js";
import type { Struct } from "./fields.js";
import { keccak } from "./hashing.js";
import { ENTRY_BYTES_MAX } from "./limits.js";

const LENGTH_BYTES = 2;

/** Tags below are of the inbox. */
const FIRST_SIGNED_TAG = 0x10;

/** A trader's key slot and signature: r ‖ s, the recovery bit on top of s. */
export interface Authorisation {
  readonly session: number;
  readonly signature: Uint8Array;
}

/** A command with its layout. */
export interface Command<T = unknown> {
  readonly layout: Layout<T>;
  readonly values: T;
}

/** A command with window and moment of receipt, in ns, and who signed it if a trader did. */
export interface Entry {
  readonly windowNs: bigint;
  readonly receivedNs: bigint;
  readonly command: Command;
  readonly authorisation?: Authorisation;
}

/** Return a command of a layout. */
export function commandOf<T>(layout: Layout<T>, values: T): Command {
  return { layout: layout, values };
}

/** Return tag and fields, with session and signature between them where a trader signs. */
export function commandBytes(command: Command, authorisation?: Authorisation): Uint8Array {
  const { tag, origin, body } = command.layout;
  if ((origin === "trader") !== (authorisation !== undefined)) {
    throw new TypeError(`${body.name} and its signature do not go together`);
  }
  const signed = authorisation
    ? [u8.write(authorisation.session), signatureField.write(authorisation.signature)]
    : [];
  return concat(u8.write(tag), ...signed, body.write(command.values));
}

/** Return the canonical bytes, length first. */
export function encodeEntry(entry: Entry): Uint8Array {
  const body = concat(
    u64.write(entry.windowNs),
    u64.write(entry.receivedNs),
    commandBytes(entry.command, entry.authorisation),
  );
  return concat(u16.write(body.length), body);
}

/** Return the entry that exactly these bytes hold. Throws Malformed. */
export function decodeEntry(data: Uint8Array): Entry {
  if (data.length > ENTRY_BYTES_MAX) {
    throw new Malformed(`entry of ${data.length} bytes, at most ${ENTRY_BYTES_MAX}`);
  }
  const reader = new Reader(data);
  const length = u16.read(reader);
  if (length !== reader.left) {
    throw new Malformed(`length says ${length}, ${reader.left} bytes follow`);
  }
  const stamp = { windowNs: u64.read(reader), receivedNs: u64.read(reader) };
  const body = reader.take(reader.left);
  try {
    return { ...stamp, ...decodeCommand(new Reader(body)) };
  } catch (fault) {
    const tag = body[0];
    if (!(fault instanceof Malformed) || tag === undefined || tag >= FIRST_SIGNED_TAG) {
      throw fault;
    }
    return { ...stamp, command: unreadableRequest(tag, body.slice(1)) };
  }
}

/** Return what no command is: a request of the inbox that is consumed all the same. */
function unreadableRequest(tag: number, rest: Uint8Array): Command {
  const type = "UnreadableRequest()";
  const body: Struct<Uint8Array> = {
    name: "UnreadableRequest",
    type,
    structs: [],
    write: (value) => value,
    read: (reader) => reader.take(reader.left),
    declare: () => [],
    words: () => new Uint8Array(),
    hash: () => keccak(new TextEncoder().encode(type)),
  };
  return commandOf({ tag, origin: "open", body }, rest) as Command;
}

function decodeCommand(reader: Reader): Pick<Entry, "command" | "authorisation"> {
  const tag = reader.byte();
  const layout = COMMANDS.get(tag);
  if (layout === undefined) {
    throw new Malformed(`no command has tag ${tag}`);
  }
  const signed =
    layout.origin === "trader"
      ? { authorisation: { session: reader.byte(), signature: signatureField.read(reader) } }
      : {};
  const command = { layout, values: layout.body.read(reader) };
  if (reader.left !== 0) {
    throw new Malformed(`${reader.left} bytes after the command`);
  }
  return { ...signed, command };
}

/** Return the hash that journal, receipts, data tree and disputes all use. */
export function entryHash(data: Uint8Array): Uint8Array {
  return keccak(data);
}

/** Return the entries that stand one after the other. Throws Malformed at a broken end. */
export function splitEntries(data: Uint8Array): Uint8Array[] {
  const entries: Uint8Array[] = [];
  for (let offset = 0; offset < data.length; ) {
    const prefix = data.subarray(offset, offset + LENGTH_BYTES);
    const end = offset + LENGTH_BYTES + Number(fromLittleEndian(prefix));
    if (prefix.length < LENGTH_BYTES || end > data.length) {
      throw new Malformed(`entry at byte ${offset} ends at ${end}, beyond ${data.length}`);
    }
    entries.push(data.subarray(offset, end));
    offset = end;
  }
  return entries;
}
