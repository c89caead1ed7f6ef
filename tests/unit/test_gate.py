"""What the kernel admits at once is what the slow checks admit, and a window it finds fresh is."""

from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from proofbook.api.errors import Refused
from proofbook.kernel import Kernel
from proofbook.protocol.commands import Cancel, Command, GrantSession, Place, TraderCommand
from proofbook.protocol.entry import UNSIGNED, Entry, command_bytes
from proofbook.protocol.limits import NS_PER_SECOND, Action, Side
from proofbook.sequencer.admission import admit, is_exact, signer_of
from proofbook.sequencer.freshness import sift
from proofbook.sequencer.window import Received, signing_slots
from proofbook.simulator.floor import Floor
from proofbook.simulator.many_accounts import GRIDS

DEPOSIT_ATOMS = 10**12
SESSION = 3
Signed = tuple[Command, int, bytes]


class Venue:
    """Two accounts; the first has a session that may cancel and no more."""

    def __init__(self) -> None:
        self.floor = Floor(Kernel, GRIDS)
        self.owner, self.other = self.floor.open_accounts([DEPOSIT_ATOMS] * 2)
        grant = GrantSession(
            *self.floor.header(self.owner), SESSION, self.floor.keys[self.other].address,
            1 << Action.CANCEL, 2**64 - 1, 0, self.now_ns + 60 * NS_PER_SECOND,
        )  # fmt: skip
        self.floor.require(grant)

    @property
    def engine(self) -> Kernel:
        assert isinstance(self.floor.engine, Kernel)
        return self.floor.engine

    @property
    def now_ns(self) -> int:
        return self.floor.now_ns

    def place(self, **changes: object) -> Place:
        header = self.floor.header(self.owner)
        return replace(Place(*header, 1, Side.BUY, 1, 1), **changes)  # type: ignore[arg-type]

    def signed(self, command: TraderCommand, session: int = 0, by: int = 0) -> Signed:
        signature = self.floor.signature(by or command.account, command)
        return command, session, signature

    def admits(self, signed: Signed, now_ns: int) -> bool:
        """What the kernel says at once."""
        return self.engine.admits(command_bytes(*signed), now_ns)

    def is_admitted(self, signed: Signed, now_ns: int) -> bool:
        """What the slow checks say: nobody but a kernel is a gate."""
        try:
            slow: Any = Slow(self.engine)
            admit(slow, self.floor.separator, now_ns, *signed)
        except Refused:
            return False
        return True


class Slow:
    """An engine that can be read, and judges nothing by itself."""

    def __init__(self, engine: Kernel) -> None:
        self.read = engine.read


@pytest.fixture
def venue() -> Venue:
    return Venue()


def messages(venue: Venue) -> dict[str, tuple[Signed, bool]]:
    """Messages by what is right or wrong with them, and whether they are good."""
    place, first = venue.place(), venue.place()
    cancel = Cancel(*venue.floor.header(venue.owner), order=1)
    command, session, signature = venue.signed(venue.place())
    broken = bytes((signature[0] ^ 1,)) + signature[1:]
    by_session = {"session": SESSION, "by": venue.other}
    return {
        "good": (venue.signed(place), True),
        "of a session": (venue.signed(cancel, **by_session), True),
        "another's signature": (venue.signed(first, by=venue.other), False),
        "a broken signature": ((command, session, broken), False),
        "no such account": (venue.signed(venue.place(account=99), by=venue.owner), False),
        "no such session": (venue.signed(venue.place(), session=9), False),
        "expired": (venue.signed(venue.place(expires_ns=venue.now_ns - 1)), False),
        "nonce 0": (venue.signed(venue.place(nonce=0)), False),
        "nonce used": (venue.signed(venue.place(nonce=1)), False),
        "beyond the session": (venue.signed(venue.place(), **by_session), False),
        "wrong order": ((replace(first, price_ticks=2), 0, signature), False),
    }


@pytest.mark.parametrize("name", messages(Venue()))
def test_kernel_and_slow_checks_agree(venue: Venue, name: str) -> None:
    signed, is_good = messages(venue)[name]
    assert venue.is_admitted(signed, venue.now_ns) == is_good
    assert venue.admits(signed, venue.now_ns) == is_good


def test_what_was_admitted_is_applied_once_and_only_as_it_was_signed(venue: Venue) -> None:
    """Signers found at admission are of all bytes: other bytes are recovered anew."""
    command, session, signature = venue.signed(venue.place())
    assert venue.admits((command, session, signature), venue.now_ns)
    assert isinstance(command, Place)
    venue.floor.wait(1)
    forged = Entry(venue.now_ns, venue.now_ns, replace(command, lots=2), session, signature)
    (result,) = venue.engine.apply_unless_void([forged.encode()])
    assert result.outcome.name == "VOID_SIGNER_MISMATCH"
    entry = Entry(venue.now_ns, venue.now_ns, command, session, signature)
    first, again = venue.engine.apply([entry.encode()] * 2)
    assert not first.outcome.name.startswith("VOID")
    assert again.outcome != first.outcome


def test_a_label_that_does_not_fit_is_left_to_the_slow_checks(venue: Venue) -> None:
    for label in (b"", b"123456789"):
        assert not is_exact(venue.place(label=label), bytes(64))
    assert is_exact(venue.place(), bytes(64)) and not is_exact(venue.place(), UNSIGNED[:63])


@pytest.mark.parametrize("name", ["rising", "repeated", "falling", "expired", "session too late"])
def test_a_fresh_window_is_one_that_loses_nothing(venue: Venue, name: str) -> None:
    first, second = venue.place(), venue.place()
    window_ns = venue.now_ns + 1
    signed = {
        "rising": [venue.signed(first), venue.signed(second)],
        "repeated": [venue.signed(first), venue.signed(replace(second, nonce=first.nonce))],
        "falling": [venue.signed(second), venue.signed(first)],
        "expired": [venue.signed(first), venue.signed(replace(second, expires_ns=venue.now_ns))],
        "session too late": [venue.signed(Cancel(*_head(venue), 1), SESSION, venue.other)],
    }[name]
    if name == "session too late":
        window_ns += 61 * NS_PER_SECOND
    received = [
        Received(venue.now_ns + n, row[0], command_bytes(*row), signing_slots(Entry(0, 0, *row)))
        for n, row in enumerate(signed)
    ]
    is_fresh = venue.engine.are_fresh([item.body for item in received], window_ns)
    dead = sift(received, window_ns, partial(signer_of, venue.engine)).dead
    assert is_fresh == (name == "rising")
    assert not (is_fresh and dead), "what is called fresh loses nothing"
    assert bool(dead) == (name not in ("rising", "falling"))


def _head(venue: Venue) -> tuple[int, int, int]:
    return venue.floor.header(venue.owner)
