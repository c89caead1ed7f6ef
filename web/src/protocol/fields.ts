/** Kinds of fields: their bytes in an entry, and their 32-byte words in what is signed. */

import {
  Malformed,
  concat,
  fromLittleEndian,
  padRight,
  toBigEndian,
  toLittleEndian,
} from "./bytes.js";
import type { Reader } from "./bytes.js";
import { keccak } from "./hashing.js";

/** How one member is written, read, and signed. */
export interface Field<T> {
  /** Return the value's bytes in an entry. */
  write(value: T): Uint8Array;
  /** Return the value that stands next. Throws Malformed. */
  read(reader: Reader): T;
  /** Return the members that EIP-712 shows for it: types and names. */
  declare(name: string): string[];
  /** Return the words that go into the hash of a signed struct, one for each such member. */
  words(value: T): Uint8Array;
  /** Types of structs inside it, as EIP-712 writes them. */
  readonly structs: readonly string[];
}

/** The value that a field holds. */
export type Value<F> = F extends Field<infer T> ? T : never;

/** Members by name; their order is the order of their bytes. */
export type Fields = Record<string, Field<unknown>>;

/** The values of all members. */
export type Values<F extends Fields> = { readonly [Name in keyof F]: Value<F[Name]> };

function declareAs(type: string): (name: string) => string[] {
  return (name) => [`${type} ${name}`];
}

function word(value: bigint): Uint8Array {
  return toBigEndian(value, 32);
}

function checkRange(value: bigint, low: bigint, high: bigint): void {
  if (value < low || value > high) {
    throw new RangeError(`${value} is not within ${low} and ${high}`);
  }
}

/** An unsigned integer of at most 32 bits. */
function small(bits: 8 | 16 | 32): Field<number> {
  const size = bits / 8;
  const high = (1n << BigInt(bits)) - 1n;
  return {
    write(value) {
      checkRange(BigInt(value), 0n, high);
      return toLittleEndian(BigInt(value), size);
    },
    read: (reader) => Number(fromLittleEndian(reader.take(size))),
    declare: declareAs(`uint${bits}`),
    words: (value) => word(BigInt(value)),
    structs: [],
  };
}

/** An integer of 64 bits. */
function wide(isSigned: boolean): Field<bigint> {
  const [low, high] = isSigned ? [-(1n << 63n), (1n << 63n) - 1n] : [0n, (1n << 64n) - 1n];
  return {
    write(value) {
      checkRange(value, low, high);
      return toLittleEndian(value, 8);
    },
    read(reader) {
      const value = fromLittleEndian(reader.take(8));
      return isSigned ? BigInt.asIntN(64, value) : value;
    },
    declare: declareAs(isSigned ? "int64" : "uint64"),
    words: word,
    structs: [],
  };
}

/** Bytes of one length. */
function fixedBytes(
  size: number,
  type: string,
  pad: (data: Uint8Array) => Uint8Array,
): Field<Uint8Array> {
  return {
    write(value) {
      if (value.length !== size) {
        throw new RangeError(`${value.length} bytes, must be ${size}`);
      }
      return value;
    },
    read: (reader) => reader.take(size),
    declare: declareAs(type),
    words: pad,
    structs: [],
  };
}

export const u8 = small(8);
export const u16 = small(16);
export const u32 = small(32);
export const u64 = wide(false);
export const i64 = wide(true);
export const bytes8 = fixedBytes(8, "bytes8", padRight);
export const bytes32 = fixedBytes(32, "bytes32", padRight);
export const address = fixedBytes(20, "address", (data) => concat(new Uint8Array(12), data));
export const signature = fixedBytes(64, "bytes", keccak);

/** A byte that is a member of a closed enumeration. */
export function enumeration<T extends number>(members: Readonly<Record<string, T>>): Field<T> {
  const numbers: ReadonlySet<number> = new Set(Object.values(members));
  const isMember = (value: number): value is T => numbers.has(value);
  return {
    write: u8.write,
    read(reader) {
      const value = reader.byte();
      if (!isMember(value)) {
        throw new Malformed(`${value} is not among ${Object.keys(members).join(", ")}`);
      }
      return value;
    },
    declare: u8.declare,
    words: u8.words,
    structs: [],
  };
}

/** A byte that is 0 or 1. */
export const flag: Field<boolean> = {
  write: (value) => u8.write(Number(value)),
  read(reader) {
    const byte = reader.byte();
    if (byte > 1) {
      throw new Malformed(`${byte} is neither 0 nor 1`);
    }
    return byte === 1;
  },
  declare: declareAs("bool"),
  words: (value) => word(BigInt(value)),
  structs: [],
};

/** A field that stands in the entry but not in what is signed. */
export function unsigned<T>(field: Field<T>): Field<T> {
  return { ...field, declare: () => [], words: () => new Uint8Array(0), structs: [] };
}

/** Whether an order may only rest, and whether it may only reduce: one byte, two members. */
export interface OrderFlags {
  /** 0 off, 1 refused if it would meet another, 2 slides. */
  readonly postOnly: number;
  readonly reduceOnly: boolean;
}

const POST_ONLY_BITS = [0, 1, 5];
const REDUCE_ONLY_BIT = 2;

export const orderFlags: Field<OrderFlags> = {
  write({ postOnly, reduceOnly }) {
    const bits = POST_ONLY_BITS[postOnly];
    if (bits === undefined) {
      throw new RangeError(`${postOnly} is no way of post-only`);
    }
    return u8.write(bits | (reduceOnly ? REDUCE_ONLY_BIT : 0));
  },
  read(reader) {
    const bits = reader.byte();
    const postOnly = POST_ONLY_BITS.indexOf(bits & ~REDUCE_ONLY_BIT);
    if (postOnly < 0) {
      throw new Malformed(`flags ${bits} mean nothing`);
    }
    return { postOnly, reduceOnly: (bits & REDUCE_ONLY_BIT) !== 0 };
  },
  declare: () => ["uint8 postOnly", "bool reduceOnly"],
  words: ({ postOnly, reduceOnly }) => concat(word(BigInt(postOnly)), word(BigInt(reduceOnly))),
  structs: [],
};

/** As many items as something before them said. */
export function several<T>(item: Field<T>, count: number): Field<readonly T[]> {
  return {
    write(items) {
      if (items.length !== count) {
        throw new RangeError(`list of ${items.length}, must be ${count}`);
      }
      return concat(...items.map(item.write));
    },
    read: (reader) => Array.from({ length: count }, () => item.read(reader)),
    declare: (name) => item.declare(name).map((member) => member.replace(" ", "[] ")),
    words: (items) => keccak(concat(...items.map(item.words))),
    structs: item.structs,
  };
}

/** As many items as their count, one byte, says. */
export function list<T>(item: Field<T>, most: number): Field<readonly T[]> {
  return {
    write(items) {
      if (items.length > most) {
        throw new RangeError(`list of ${items.length}, at most ${most}`);
      }
      return concat(u8.write(items.length), ...items.map(item.write));
    },
    read(reader) {
      const count = reader.byte();
      if (count > most) {
        throw new Malformed(`list of ${count}, at most ${most}`);
      }
      return several(item, count).read(reader);
    },
    declare: several(item, most).declare,
    words: several(item, most).words,
    structs: item.structs,
  };
}

/** A struct: its bytes, and its type and hash as EIP-712 has them. */
export interface Struct<T> extends Field<T> {
  readonly name: string;
  /** The type with those of the structs inside it. */
  readonly type: string;
  /** Return hashStruct of EIP-712. */
  hash(value: T): Uint8Array;
}

/** Several members, one after the other. */
export function struct<F extends Fields>(name: string, fields: F): Struct<Values<F>> {
  const members = Object.entries(fields) as [string, Field<unknown>][];
  const inner = [...new Set(members.flatMap(([, field]) => field.structs))].sort();
  const own = `${name}(${members.flatMap(([member, field]) => field.declare(member)).join(",")})`;
  const type = own + inner.join("");
  const typeHash = keccak(new TextEncoder().encode(type));
  const each = (values: Values<F>, part: "write" | "words") =>
    concat(...members.map(([member, field]) => field[part](values[member])));
  const hash = (values: Values<F>) => keccak(concat(typeHash, each(values, "words")));
  return {
    name,
    type,
    hash,
    write: (values) => each(values, "write"),
    read(reader) {
      const values = members.map(([member, field]) => [member, field.read(reader)]);
      return Object.fromEntries(values) as Values<F>;
    },
    declare: declareAs(name),
    words: hash,
    structs: [own, ...inner],
  };
}
