import assert from "node:assert/strict";
import { test } from "node:test";

import { Malformed, Reader, fromHex, toHex } from "../src/protocol/bytes.js";
import { splitEntries } from "../src/protocol/entry.js";
import {
  bytes8,
  flag,
  i64,
  list,
  orderFlags,
  several,
  struct,
  u32,
  u64,
  u8,
} from "../src/protocol/fields.js";

test("integers outside their width are refused", () => {
  assert.throws(() => u8.write(256), RangeError, "above");
  assert.throws(() => u32.write(-1), RangeError, "below");
  assert.throws(() => u64.write(1n << 64n), RangeError, "above 64 bits");
  assert.throws(() => i64.write(-(1n << 63n) - 1n), RangeError, "below the least");
});

test("integers at their bounds come back", () => {
  for (const value of [0n, (1n << 64n) - 1n]) {
    assert.equal(u64.read(new Reader(u64.write(value))), value);
  }
  for (const value of [-(1n << 63n), -1n, (1n << 63n) - 1n]) {
    assert.equal(i64.read(new Reader(i64.write(value))), value);
  }
});

test("bytes and lists of another length are refused", () => {
  assert.throws(() => bytes8.write(new Uint8Array(7)), RangeError, "bytes");
  assert.throws(() => list(u8, 2).write([1, 2, 3]), RangeError, "list");
  assert.throws(() => several(u8, 2).write([1]), RangeError, "list of known length");
  assert.throws(() => list(u8, 2).read(new Reader(fromHex("0x03010203"))), Malformed, "read");
});

test("flags that mean nothing are refused", () => {
  assert.throws(() => orderFlags.write({ postOnly: 3, reduceOnly: false }), RangeError, "written");
  for (const bits of [4, 6, 8, 0x80]) {
    assert.throws(() => orderFlags.read(new Reader(Uint8Array.of(bits))), Malformed, `${bits}`);
  }
});

test("a byte that is neither true nor false is refused", () => {
  assert.throws(() => flag.read(new Reader(Uint8Array.of(2))), Malformed);
  assert.deepEqual(flag.read(new Reader(flag.write(true))), true);
});

test("a struct names the structs inside it once, in alphabetical order", () => {
  const leg = struct("Leg", { lots: u64 });
  const first = struct("Apple", { leg });
  const outer = struct("Zoo", { leg, first, more: list(leg, 4) });
  assert.equal(outer.type, "Zoo(Leg leg,Apple first,Leg[] more)Apple(Leg leg)Leg(uint64 lots)");
});

test("text that is not pairs of digits is refused", () => {
  for (const text of ["", "00", "0x0", "0xzz"]) {
    assert.throws(() => fromHex(text), SyntaxError, text);
  }
  assert.equal(toHex(fromHex("0x00fF")), "0x00ff");
});

test("entries that end beyond the bytes are refused", () => {
  for (const text of ["0x01", "0x0100", "0x010000020000"]) {
    assert.throws(() => splitEntries(fromHex(text)), Malformed, text);
  }
  assert.equal(splitEntries(fromHex("0x0100000000")).length, 2);
});
