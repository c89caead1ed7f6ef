"""Who signed a digest: secp256k1 recovery over the compact form r ‖ (recovery bit, s)."""

from coincurve import PublicKey

from proofbook.protocol.hashing import keccak

CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def recover(digest: bytes, signature: bytes) -> bytes | None:
    """Return the signer's address (20 bytes), or None if s is high or nobody is recovered."""
    packed = int.from_bytes(signature[32:], "big")
    parity, s = packed >> 255, packed & (1 << 255) - 1
    if s > CURVE_ORDER // 2:
        return None
    recoverable = signature[:32] + s.to_bytes(32, "big") + bytes((parity,))
    try:
        key = PublicKey.from_signature_and_message(recoverable, digest, hasher=None)
    except Exception:  # coincurve raises a bare Exception when no key fits
        return None
    return keccak(key.format(compressed=False)[1:])[12:]
