/** Keccak-256 and the two Merkle trees of the protocol: padded over a list, and append-only. */

import { keccak_256 } from "@noble/hashes/sha3.js";

import { concat, toBigEndian } from "./bytes.js";
import { WITHDRAWAL_TREE_DEPTH } from "./limits.js";

const EMPTY_WORD: Uint8Array = new Uint8Array(32);

/** Return the keccak-256 digest of the bytes, as Ethereum defines it. */
export function keccak(data: Uint8Array): Uint8Array {
  return keccak_256(data);
}

/** Return the hash of an inner node. */
export function hashPair(left: Uint8Array, right: Uint8Array): Uint8Array {
  return keccak(concat(left, right));
}

/** Return the roots of empty trees of depth 0 to `depth`, inclusive. */
export function zeroSubtrees(depth: number): Uint8Array[] {
  const roots: Uint8Array[] = [EMPTY_WORD];
  for (let node = EMPTY_WORD; roots.length <= depth; roots.push(node)) {
    node = hashPair(node, node);
  }
  return roots;
}

/** Return the level above: pairs hashed, a last one without a sibling beside `zero`. */
function levelAbove(level: readonly Uint8Array[], zero: Uint8Array): Uint8Array[] {
  const above: Uint8Array[] = [];
  for (let place = 0; place < level.length; place += 2) {
    above.push(hashPair(level[place] ?? zero, level[place + 1] ?? zero));
  }
  return above;
}

/** Return all levels of a tree of known depth over the leaves, the rest being zero words. */
function levels(leaves: readonly Uint8Array[], depth: number): Uint8Array[][] {
  const zeros = zeroSubtrees(depth);
  const rows: Uint8Array[][] = [[...leaves]];
  for (let height = 0; height < depth; ++height) {
    rows.push(levelAbove(rows[height] ?? [], zeros[height] ?? EMPTY_WORD));
  }
  return rows;
}

/** Return the depth of the smallest tree that holds so many leaves. */
function depthOf(leaves: number): number {
  return Math.ceil(Math.log2(Math.max(1, leaves)));
}

/** Return the siblings of a leaf, from the bottom up, in a tree of known depth. */
function siblings(leaves: readonly Uint8Array[], index: number, depth: number): Uint8Array[] {
  const zeros = zeroSubtrees(depth);
  const rows = levels(leaves, depth).slice(0, depth);
  return rows.map((row, height) => {
    const place = (BigInt(index) >> BigInt(height)) ^ 1n;
    return row[Number(place)] ?? zeros[height] ?? EMPTY_WORD;
  });
}

/** Return the root of the tree over the leaves, padded with zero words to a power of two. */
export function merkleRoot(leaves: readonly Uint8Array[]): Uint8Array {
  const depth = depthOf(leaves.length);
  return levels(leaves, depth)[depth]?.[0] ?? EMPTY_WORD;
}

/** Return the siblings of a leaf of that tree from the bottom up. */
export function merkleProof(leaves: readonly Uint8Array[], index: number): Uint8Array[] {
  return siblings(leaves, index, depthOf(leaves.length));
}

/** Return the root that a leaf and its siblings lead to; the index says left or right. */
export function rootFromProof(
  leaf: Uint8Array,
  index: number,
  proof: readonly Uint8Array[],
): Uint8Array {
  return proof.reduce((node, sibling, height) => {
    const isRight = (BigInt(index) >> BigInt(height)) & 1n;
    return isRight ? hashPair(sibling, node) : hashPair(node, sibling);
  }, leaf);
}

/** A withdrawal as the accumulator holds it; the amount is in atoms of the token. */
export interface Withdrawal {
  readonly index: bigint;
  readonly token: number;
  readonly recipient: Uint8Array;
  readonly amount: bigint;
}

/** Return the leaf that the Vault recomputes: keccak of 45 bytes, numbers big-endian. */
export function withdrawalLeaf(withdrawal: Withdrawal): Uint8Array {
  return keccak(
    concat(
      toBigEndian(withdrawal.index, 8),
      toBigEndian(BigInt(withdrawal.token), 1),
      withdrawal.recipient,
      toBigEndian(withdrawal.amount, 16),
    ),
  );
}

/** Return the root of the append-only tree of withdrawals. */
export function withdrawalRoot(leaves: readonly Uint8Array[]): Uint8Array {
  const empty = zeroSubtrees(WITHDRAWAL_TREE_DEPTH)[WITHDRAWAL_TREE_DEPTH] ?? EMPTY_WORD;
  return levels(leaves, WITHDRAWAL_TREE_DEPTH)[WITHDRAWAL_TREE_DEPTH]?.[0] ?? empty;
}

/** Return the 32 siblings of a withdrawal's leaf, given every leaf so far. */
export function withdrawalProof(leaves: readonly Uint8Array[], index: number): Uint8Array[] {
  return siblings(leaves, index, WITHDRAWAL_TREE_DEPTH);
}

/** Return the hash of the inbox after one more request: the contract keeps the same. */
export function inboxHashAfter(inboxHash: Uint8Array, request: Uint8Array): Uint8Array {
  return hashPair(inboxHash, keccak(request));
}
