import assert from "node:assert/strict";
import { test } from "node:test";

import { fromHex, toHex } from "../src/protocol/bytes.js";
import { commandBytes, decodeEntry, entryHash, splitEntries } from "../src/protocol/entry.js";
import {
  inboxHashAfter,
  keccak,
  merkleProof,
  merkleRoot,
  rootFromProof,
  withdrawalLeaf,
  withdrawalProof,
  withdrawalRoot,
} from "../src/protocol/hashing.js";
import { ArenaId, GLOBAL_WORDS, STATE_ARENAS } from "../src/protocol/limits.js";
import { vectors } from "./vectors.js";
import type { Row } from "./vectors.js";

const FIRST_SIGNED_TAG = 0x10;
const WITHDRAWAL_ROOT_WORD = 4;

function texts(rows: readonly Row[]): string[] {
  return rows.map((row) => row.text());
}

test("keccak is Ethereum's, not the later standard's", () => {
  const empty = "0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470";
  assert.equal(toHex(keccak(fromHex("0x"))), empty);
});

test("padded trees have the same roots and paths", () => {
  for (const list of vectors("tree/merkle.json").at("lists").rows()) {
    const leaves = list.at("leaves").rows().map((leaf) => leaf.bytes());
    assert.equal(toHex(merkleRoot(leaves)), list.at("root").text(), `root of ${leaves.length}`);
    for (const [index, leaf] of leaves.entries()) {
      const proof = merkleProof(leaves, index);
      assert.deepEqual(proof.map(toHex), texts(list.at("proofs").rows()[index]?.rows() ?? []));
      assert.equal(toHex(rootFromProof(leaf, index, proof)), list.at("root").text(), "by proof");
    }
  }
});

test("the withdrawal tree grows to the same roots", () => {
  const leaves: Uint8Array[] = [];
  for (const [index, root] of vectors("tree/merkle.json").at("withdrawal_roots").rows().entries()) {
    assert.equal(toHex(withdrawalRoot(leaves)), root.text(), `after ${index}`);
    const recipient = new Uint8Array(20).fill(index);
    const amount = 10n ** BigInt(index);
    leaves.push(withdrawalLeaf({ index: BigInt(index), token: 0, recipient, amount }));
  }
});

test("withdrawals are proved from the state root alone", () => {
  const file = vectors("settlement/withdrawal.json");
  const withdrawals = file.at("withdrawals").rows();
  const leaves = withdrawals.map((row) =>
    withdrawalLeaf({
      index: BigInt(row.at("index").number()),
      token: row.at("token").number(),
      recipient: row.at("recipient").bytes(),
      amount: BigInt(row.at("amount").number()),
    }),
  );
  assert.deepEqual(leaves.map(toHex), withdrawals.map((row) => row.at("leaf").text()), "leaves");
  for (const [index, row] of withdrawals.entries()) {
    const proof = row.at("proof").rows().map((node) => node.bytes());
    assert.deepEqual(withdrawalProof(leaves, index).map(toHex), proof.map(toHex), "the siblings");
    const root = rootFromProof(leaves[index] ?? new Uint8Array(), index, proof);
    assert.equal(toHex(root), file.at("withdrawal_root").text(), "the withdrawal root");
  }
  const proof = file.at("root_proof").rows().map((node) => node.bytes());
  assert.equal(2 ** proof.length, GLOBAL_WORDS * STATE_ARENAS, "from a word to the state root");
  const place = ArenaId.GLOBAL * GLOBAL_WORDS + WITHDRAWAL_ROOT_WORD;
  const stateRoot = rootFromProof(file.at("withdrawal_root").bytes(), place, proof);
  assert.equal(toHex(stateRoot), file.at("state_root").text(), "the state root");
});

test("an append has the same entry tree and consumes the same requests", () => {
  const file = vectors("settlement/append.json");
  const entries = splitEntries(file.at("entries").bytes());
  assert.equal(entries.length, file.at("count").number(), "as many entries");
  assert.equal(toHex(merkleRoot(entries.map(entryHash))), file.at("data_root").text(), "the tree");
  const requests = entries
    .map((data) => decodeEntry(data).command)
    .filter((command) => command.layout.tag < FIRST_SIGNED_TAG)
    .map((command) => commandBytes(command));
  const hashes = requests.map((request) => toHex(keccak(request)));
  assert.deepEqual(hashes, texts(file.at("request_hashes").rows()), "the requests");
  const inboxHash = requests.reduce<Uint8Array>(inboxHashAfter, new Uint8Array(32));
  assert.equal(toHex(inboxHash), file.at("inbox_hash").text(), "the prefix hash");
});
