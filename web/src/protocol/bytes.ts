/** Bytes as the protocol writes them: integers little-endian, nothing left over. */

/** Bytes that are not the canonical encoding of any entry. */
export class Malformed extends Error {
  override readonly name = "Malformed";
}

/** Takes fields off the front of some bytes. */
export class Reader {
  readonly #data: Uint8Array;
  #offset = 0;

  constructor(data: Uint8Array) {
    this.#data = data;
  }

  /** Return how many bytes are left. */
  get left(): number {
    return this.#data.length - this.#offset;
  }

  /** Return the next `size` bytes. Throws Malformed at the end. */
  take(size: number): Uint8Array {
    if (size > this.left) {
      throw new Malformed(`${size} bytes wanted at ${this.#offset}, ${this.left} left`);
    }
    this.#offset += size;
    return this.#data.slice(this.#offset - size, this.#offset);
  }

  /** Return the next byte. Throws Malformed at the end. */
  byte(): number {
    return Number(fromLittleEndian(this.take(1)));
  }
}

/** Return the pieces, one after the other. */
export function concat(...pieces: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(pieces.reduce((size, piece) => size + piece.length, 0));
  let offset = 0;
  for (const piece of pieces) {
    joined.set(piece, offset);
    offset += piece.length;
  }
  return joined;
}

/** Return whether both hold the same bytes. */
export function equal(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, place) => byte === right[place]);
}

/** Return 0x and two digits for each byte. */
export function toHex(data: Uint8Array): string {
  return "0x" + Array.from(data, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Return the bytes of 0x and digits. Throws SyntaxError for anything else. */
export function fromHex(text: string): Uint8Array {
  if (!/^0x([0-9a-fA-F]{2})*$/.test(text)) {
    throw new SyntaxError(`${text.slice(0, 20)} is not 0x and pairs of digits`);
  }
  return Uint8Array.from(text.slice(2).match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

/** Return an integer as `size` bytes, highest first, two's complement if negative. */
export function toBigEndian(value: bigint, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let place = size - 1, rest = value; place >= 0; --place, rest >>= 8n) {
    bytes[place] = Number(rest & 0xffn);
  }
  return bytes;
}

/** Return an integer as `size` bytes, lowest first, two's complement if negative. */
export function toLittleEndian(value: bigint, size: number): Uint8Array {
  return toBigEndian(value, size).reverse();
}

/** Return the integer whose bytes, lowest first, these are. */
export function fromLittleEndian(data: Uint8Array): bigint {
  return data.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

/** Return `data` with zeros behind it up to 32 bytes. */
export function padRight(data: Uint8Array): Uint8Array {
  return concat(data, new Uint8Array(32 - data.length));
}
