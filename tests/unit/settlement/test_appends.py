"""The journal is cut into appends that fit, and into segments."""

from hypothesis import given
from hypothesis import strategies as st

from proofbook.chain.batches import inbox_hash_after, segment_ends
from proofbook.protocol.commands import Deposit, Tick
from proofbook.protocol.entry import HEAD, Entry
from proofbook.protocol.hashing import keccak
from proofbook.protocol.limits import APPEND_BYTES_MAX, ENTRY_BYTES_MAX
from proofbook.settlement.appends import GAS_BASE, cut, gas_bound
from proofbook.settlement.transactions import TRANSACTION_GAS_MAX

TICK = Entry(1, 1, Tick()).encode()
DEPOSIT = Entry(1, 1, Deposit(3, b"\x01" * 20, 0, 0, 5)).encode()


def blob(size: int, tag: int) -> bytes:
    """Return bytes that have an entry's size and tag."""
    return HEAD.pack(size - 2, 0, 0) + bytes((tag,)) + bytes(size - HEAD.size - 1)


entries = st.lists(
    st.builds(blob, st.integers(19, ENTRY_BYTES_MAX), st.sampled_from((0x01, 0x10, 0x60))),
    max_size=400,
)


@given(entries)
def test_pieces_are_the_journal_in_order_and_each_fits(journal: list[bytes]) -> None:
    pieces = cut(journal)
    assert [entry for piece in pieces for entry in piece] == journal
    for piece in pieces:
        assert piece, "no append is empty"
        assert sum(map(len, piece)) <= APPEND_BYTES_MAX
        assert GAS_BASE + sum(map(gas_bound, piece)) <= TRANSACTION_GAS_MAX


def test_nothing_is_cut_into_no_pieces() -> None:
    assert cut([]) == []


def test_a_piece_is_filled_to_the_last_byte() -> None:
    journal = [blob(ENTRY_BYTES_MAX, 0x10)] * (APPEND_BYTES_MAX // ENTRY_BYTES_MAX)
    assert len(cut(journal)) == 1
    assert [len(piece) for piece in cut([*journal, TICK])] == [len(journal), 1]


def test_many_requests_are_cut_by_gas_before_bytes() -> None:
    pieces = cut([DEPOSIT] * 2_000)
    assert sum(map(len, pieces[0])) < APPEND_BYTES_MAX
    assert len(pieces) == 3


def test_segments_end_every_1024_entries_from_the_first_and_at_the_last() -> None:
    assert segment_ends(1, 1) == [1]
    assert segment_ends(1, 1_024) == [1_024]
    assert segment_ends(1, 1_025) == [1_024, 1_025]
    assert segment_ends(500, 500 + 2_047) == [1_523, 2_547]


def test_only_requests_move_the_prefix_hash() -> None:
    request = DEPOSIT[HEAD.size :]
    assert inbox_hash_after(bytes(32), [TICK]) == bytes(32)
    assert inbox_hash_after(bytes(32), [TICK, DEPOSIT]) == keccak(bytes(32) + keccak(request))
