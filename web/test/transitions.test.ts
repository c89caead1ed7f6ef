import assert from "node:assert/strict";
import { test } from "node:test";

import { Malformed, toHex } from "../src/protocol/bytes.js";
import { decodeEntry, encodeEntry } from "../src/protocol/entry.js";
import { OutcomeKind, Reject, Void } from "../src/protocol/limits.js";
import { files, vectors } from "./vectors.js";

/** Return the name that an outcome has in every language. */
function outcomeName(kind: number, reason: number): string {
  const named = (members: Readonly<Record<string, number>>) =>
    Object.keys(members).find((member) => members[member] === reason);
  if (kind === OutcomeKind.APPLIED) {
    return "APPLIED";
  }
  return kind === OutcomeKind.VOID ? `VOID_${named(Void)}` : `${named(Reject)}`;
}

for (const name of files("transition")) {
  test(`${name}: entries are malformed exactly where the specification says so`, () => {
    for (const [place, row] of vectors(name).at("entries").rows().entries()) {
      const data = row.at("entry").bytes();
      const at = `entry ${place}, ${row.at("name").text()}`;
      if (row.at("name").text() === "VOID_MALFORMED") {
        assert.throws(() => decodeEntry(data), Malformed, at);
      } else {
        assert.equal(toHex(encodeEntry(decodeEntry(data))), toHex(data), at);
      }
    }
  });

  test(`${name}: outcomes have the same names`, () => {
    for (const row of vectors(name).at("entries").rows()) {
      const [kind, reason] = row.at("outcome").rows().map((byte) => byte.number());
      assert.ok(kind !== undefined && reason !== undefined, "kind and reason");
      assert.equal(outcomeName(kind, reason), row.at("name").text());
    }
  });
}
