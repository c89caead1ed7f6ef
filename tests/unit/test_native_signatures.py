"""The door to batch recovery, against an independent implementation."""

import pytest
from coincurve import PrivateKey, PublicKey
from hypothesis import given
from hypothesis import strategies as st

from proofbook import _native
from proofbook.protocol.hashing import keccak

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141

digests = st.binary(min_size=32, max_size=32)
secrets = st.integers(1, ORDER - 1).map(lambda secret: secret.to_bytes(32, "big"))


def address_by_coincurve(key: PublicKey) -> bytes:
    return keccak(key.format(compressed=False)[1:])[12:]


@given(st.binary(max_size=600))
def test_keccak_agrees_with_the_reference(data: bytes) -> None:
    assert _native.keccak256(data) == keccak(data), "kernel and C library"


@given(digests, secrets)
def test_sign_agrees_with_another_library(digest: bytes, secret: bytes) -> None:
    theirs = PrivateKey(secret).sign_recoverable(digest, hasher=None)
    packed = bytearray(theirs[:64])
    packed[32] |= theirs[64] << 7
    assert _native.sign(digest, secret) == bytes(packed), "RFC 6979 leaves no choice"


@given(digests, secrets)
def test_recover_finds_the_signer(digest: bytes, secret: bytes) -> None:
    address = address_by_coincurve(PrivateKey(secret).public_key)
    signature = _native.sign(digest, secret)
    assert _native.address_of_secret(secret) == address, "the address of the key"
    assert _native.recover_batch(digest, signature) == [address], "recovered from the signature"


@given(digests, st.binary(min_size=64, max_size=64))
def test_recover_is_total_and_refuses_high_s(digest: bytes, signature: bytes) -> None:
    (address,) = _native.recover_batch(digest, signature)
    s = int.from_bytes(signature[32:], "big") & (2**255 - 1)
    if s > ORDER // 2:
        assert address is None, "s lies in the high half"
    if address is not None:
        plain = signature[:32] + s.to_bytes(32, "big") + bytes([signature[32] >> 7])
        key = PublicKey.from_signature_and_message(plain, digest, hasher=None)
        assert address == address_by_coincurve(key), "both libraries find the same key"


def test_a_large_batch_answers_in_order() -> None:
    keys = [(index + 1).to_bytes(32, "big") for index in range(50)]
    hashes = [keccak(key) for key in keys]
    signatures = [_native.sign(digest, key) for digest, key in zip(hashes, keys, strict=True)]
    signatures[7] = bytes(64)
    expected = [_native.address_of_secret(key) for key in keys]
    found = _native.recover_batch(b"".join(hashes), b"".join(signatures))
    assert found[7] is None, "the broken one"
    assert found[:7] + found[8:] == expected[:7] + expected[8:], "all others in order"


@pytest.mark.parametrize(("digest_bytes", "signature_bytes"), [(31, 64), (32, 63), (64, 64)])
def test_lengths_that_do_not_fit_are_refused(digest_bytes: int, signature_bytes: int) -> None:
    with pytest.raises(ValueError, match=f"{digest_bytes} bytes of digests"):
        _native.recover_batch(bytes(digest_bytes), bytes(signature_bytes))


@pytest.mark.parametrize("secret", [0, ORDER, 2**256 - 1])
def test_secrets_out_of_range_are_refused(secret: int) -> None:
    with pytest.raises(ValueError, match="order of the group"):
        _native.sign(bytes(32), secret.to_bytes(32, "big"))
    with pytest.raises(ValueError, match="order of the group"):
        _native.address_of_secret(secret.to_bytes(32, "big"))
