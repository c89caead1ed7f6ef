"""The window of nonces against a set of all that were used."""

from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import EXAMPLES

from proofbook.protocol.limits import NONCE_WINDOW, Reject
from proofbook.protocol.records import SignerRecord
from proofbook.spec.accounts import consume_nonce, nonce_rejection

NONCE_MAX = (1 << 64) - 1


def fresh_signer() -> SignerRecord:
    """A signer as deposits make it: only nonce 0 is used."""
    signer = SignerRecord()
    signer.nonce_bitmap = (1).to_bytes(32, "little")
    return signer


def expected_rejection(used: set[int], nonce: int) -> Reject | None:
    highest = max(used)
    if nonce == 0 or nonce <= highest - NONCE_WINDOW:
        return Reject.NONCE_TOO_OLD
    return Reject.NONCE_USED if nonce in used else None


def require_bitmap(signer: SignerRecord, used: set[int]) -> None:
    """Every bit says whether its nonce was used; those below 0 never were."""
    bitmap = int.from_bytes(signer.nonce_bitmap, "little")
    assert signer.nonce_highest == max(used)
    for distance in range(NONCE_WINDOW):
        assert bool(bitmap >> distance & 1) == (signer.nonce_highest - distance in used)


@EXAMPLES
@given(st.data())
def test_nonces_are_used_once_within_the_window(data: st.DataObject) -> None:
    signer, used = fresh_signer(), {0}
    for _ in range(data.draw(st.integers(1, 30))):
        highest = max(used)
        near = st.integers(max(0, highest - 300), min(NONCE_MAX, highest + 300))
        again = st.sampled_from(sorted(used))
        edge = st.integers(-1, 1).map(lambda step: max(0, max(used) - NONCE_WINDOW + step))
        nonce = data.draw(st.one_of(near, edge, st.integers(0, NONCE_MAX), again))
        rejection = nonce_rejection(signer, nonce)
        assert rejection == expected_rejection(used, nonce)
        if rejection is None:
            consume_nonce(signer, nonce)
            used.add(nonce)
            assert nonce_rejection(signer, nonce) == Reject.NONCE_USED
        require_bitmap(signer, used)


@EXAMPLES
@given(st.permutations(range(1, NONCE_WINDOW + 1)))
def test_a_whole_window_may_come_in_any_order(nonces: list[int]) -> None:
    signer = fresh_signer()
    for nonce in nonces:
        assert nonce_rejection(signer, nonce) is None
        consume_nonce(signer, nonce)
    assert int.from_bytes(signer.nonce_bitmap, "little") == (1 << NONCE_WINDOW) - 1
