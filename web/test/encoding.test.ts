import assert from "node:assert/strict";
import { test } from "node:test";

import { Malformed, concat, toHex } from "../src/protocol/bytes.js";
import { COMMANDS } from "../src/protocol/commands.js";
import { digests, domainSeparator } from "../src/protocol/eip712.js";
import { commandBytes, decodeEntry, encodeEntry, entryHash } from "../src/protocol/entry.js";
import { ENTRY_BYTES_MAX, Tag } from "../src/protocol/limits.js";
import { vectors } from "./vectors.js";

const FILE = vectors("encoding/entries.json");
const ENTRIES = FILE.at("entries").rows();
const TAG_OFFSET = 18;

test("the domain is the one of the specification", () => {
  const chainId = BigInt(FILE.at("chain_id").number());
  const separator = domainSeparator(chainId, FILE.at("contract").bytes());
  assert.equal(toHex(separator), FILE.at("domain_separator").text());
});

for (const [place, row] of ENTRIES.entries()) {
  const name = row.at("command").text();
  const data = row.at("entry").bytes();

  test(`${name} (${place}) decodes and encodes to the same bytes`, () => {
    const entry = decodeEntry(data);
    assert.equal(entry.command.layout.body.name, name, "the command's name");
    assert.equal(toHex(encodeEntry(entry)), row.at("entry").text(), "its bytes");
    assert.equal(toHex(entryHash(data)), row.at("hash").text(), "their hash");
  });

  test(`${name} (${place}) is signed as the specification signs it`, () => {
    const { command } = decodeEntry(data);
    const expected = row.at("digests").rows().map((digest) => digest.text());
    const separator = FILE.at("domain_separator").bytes();
    assert.deepEqual(digests(separator, command).map(toHex), expected);
  });

  test(`${name} (${place}) is malformed when cut or continued`, () => {
    for (let length = 0; length < data.length; ++length) {
      assert.throws(() => decodeEntry(data.subarray(0, length)), Malformed, `${length} bytes`);
    }
    assert.throws(() => decodeEntry(concat(data, Uint8Array.of(0))), Malformed, "a byte more");
  });

  test(`${name} (${place}) re-encodes to itself whichever byte changes, or is malformed`, () => {
    for (let offset = 0; offset < data.length; ++offset) {
      for (const change of [1, 0x80, 0xff]) {
        const changed = Uint8Array.from(data);
        changed[offset] = (changed[offset] ?? 0) ^ change;
        const again = reEncoded(changed);
        assert.ok(again === "malformed" || again === toHex(changed), `byte ${offset}`);
      }
    }
  });
}

function reEncoded(data: Uint8Array): string {
  try {
    return toHex(encodeEntry(decodeEntry(data)));
  } catch (error) {
    assert.ok(error instanceof Malformed, String(error));
    return "malformed";
  }
}

test("the table has every tag, and the vectors a sample of each", () => {
  const tags: ReadonlySet<number | undefined> = new Set(Object.values(Tag));
  const sampled = new Set(ENTRIES.map((row) => row.at("entry").bytes()[TAG_OFFSET]));
  assert.deepEqual(new Set(COMMANDS.keys()), tags, "the table");
  assert.deepEqual(sampled, tags, "the samples");
});

test("an entry above the limit is malformed", () => {
  assert.throws(() => decodeEntry(new Uint8Array(ENTRY_BYTES_MAX + 1)), Malformed);
});

test("a trader's command needs a signature and no other takes one", () => {
  const place = decodeEntry(sample("Place"));
  const tick = decodeEntry(sample("Tick"));
  assert.throws(() => commandBytes(place.command), TypeError, "without");
  assert.ok(place.authorisation !== undefined, "a trader signed it");
  const { authorisation } = place;
  assert.throws(() => commandBytes(tick.command, authorisation), TypeError, "with");
});

function sample(name: string): Uint8Array {
  const row = ENTRIES.find((entry) => entry.at("command").text() === name);
  assert.ok(row !== undefined, `a sample of ${name}`);
  return row.at("entry").bytes();
}
