"""secp256k1 keys and signatures of 64 bytes (EIP-2098).

r ‖ s, s in the low half of the group, the recovery bit in its top bit.
"""

from coincurve import PrivateKey, PublicKey

from proofbook.protocol.commands import SIGNATURE_BYTES
from proofbook.protocol.hashing import keccak

ADDRESS_BYTES = 20
HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
"""Half the order of the group: a larger s is the same signature written a second way."""
TOP_BIT = 1 << 255


class Key:
    """A private key and its address."""

    __slots__ = ("_private", "address")

    def __init__(self, secret: bytes) -> None:
        self._private = PrivateKey(secret)
        self.address = address_of(self._private.public_key)

    @classmethod
    def from_hex(cls, text: str) -> "Key":
        """Return the key written as 64 hex digits, with or without 0x."""
        return cls(bytes.fromhex(text.removeprefix("0x")))

    def sign(self, digest: bytes) -> bytes:
        """Return the 64-byte signature of a 32-byte digest."""
        r_s_v = self._private.sign_recoverable(  # pyright: ignore[reportUnknownMemberType]
            digest, hasher=None
        )
        parity = r_s_v[64] << 7
        return r_s_v[:32] + bytes((r_s_v[32] | parity,)) + r_s_v[33:64]


def address_of(public: PublicKey) -> bytes:
    """Return the last 20 bytes of the hash of the public key."""
    return keccak(public.format(compressed=False)[1:])[-ADDRESS_BYTES:]


def recover(digest: bytes, signature: bytes) -> bytes | None:
    """Return the address that signed the digest, or None if nobody can have."""
    if len(signature) != SIGNATURE_BYTES:
        return None
    s_with_parity = int.from_bytes(signature[32:], "big")
    parity, s = s_with_parity >> 255, s_with_parity & (TOP_BIT - 1)
    if not 0 < s <= HALF_ORDER:
        return None
    try:
        r_s_v = signature[:32] + s.to_bytes(32, "big") + bytes((parity,))
        public = PublicKey.from_signature_and_message(r_s_v, digest, hasher=None)
    except Exception:
        # The library says "no such point" in several ways; coincurve raises bare exceptions.
        return None
    return address_of(public)
