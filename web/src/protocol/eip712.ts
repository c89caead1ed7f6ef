/** EIP-712 digests of everything that a trader or a publisher signs. */

import { concat, toBigEndian } from "./bytes.js";
import {
  ForwardCurve,
  IndexPrice,
  SurfaceSlice,
  VolSurface,
  oracleHead,
} from "./commands.js";
import type { Layout } from "./commands.js";
import type { Command } from "./entry.js";
import { list, struct, u64 } from "./fields.js";
import type { Value } from "./fields.js";
import { keccak } from "./hashing.js";
import { EXPIRIES_PER_UNDERLYING_MAX } from "./limits.js";

const DOMAIN_TYPE =
  "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)";
const DOMAIN_NAME = "Proofbook";
const DOMAIN_VERSION = "1";

function keccakOf(text: string): Uint8Array {
  return keccak(new TextEncoder().encode(text));
}

/** Return the hash that ties a signature to one chain and one Chain contract (20 bytes). */
export function domainSeparator(chainId: bigint, contract: Uint8Array): Uint8Array {
  return keccak(
    concat(
      keccakOf(DOMAIN_TYPE),
      keccakOf(DOMAIN_NAME),
      keccakOf(DOMAIN_VERSION),
      toBigEndian(chainId, 32),
      new Uint8Array(12),
      contract,
    ),
  );
}

/** Return the 32 bytes that are signed. */
export function digest(separator: Uint8Array, structHash: Uint8Array): Uint8Array {
  return keccak(concat(Uint8Array.of(0x19, 0x01), separator, structHash));
}

// What publishers sign is shorter than their command, which carries all their signatures.

const signedIndex = struct("IndexPrice", { ...oracleHead, priceAtoms: u64 });
const atoms = list(u64, EXPIRIES_PER_UNDERLYING_MAX);
const signedCurve = struct("ForwardCurve", {
  ...oracleHead, expiriesNs: atoms, forwardsAtoms: atoms,
});
const signedSurface = struct("VolSurface", {
  ...oracleHead, slices: list(SurfaceSlice, EXPIRIES_PER_UNDERLYING_MAX),
});

type Values<L> = L extends Layout<infer T> ? T : never;

function publishedHashes(command: Command): Uint8Array[] {
  if (command.layout.tag === IndexPrice.tag) {
    const value = command.values as Values<typeof IndexPrice>;
    return value.observations.map((row) => signedIndex.hash({ ...value, ...row }));
  }
  if (command.layout.tag === ForwardCurve.tag) {
    const value = command.values as Values<typeof ForwardCurve>;
    return value.observations.map((row) => signedCurve.hash({ ...value, ...row }));
  }
  const value: Value<typeof signedSurface> & Values<typeof VolSurface> =
    command.values as Values<typeof VolSurface>;
  return value.signatures.map(() => signedSurface.hash(value));
}

/** Return what was signed for a command, in order: nothing where no key signs it. */
export function digests(separator: Uint8Array, command: Command): Uint8Array[] {
  const { origin, body } = command.layout;
  const maker = command.layout.makerHash?.(command.values);
  const hashes = {
    open: () => [],
    trader: () => [body.hash(command.values), ...(maker ? [maker] : [])],
    oracle: () => publishedHashes(command),
  };
  return hashes[origin]().map((hash) => digest(separator, hash));
}
