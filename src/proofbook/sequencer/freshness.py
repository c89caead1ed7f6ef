"""Which messages are still good when their window closes; the others get no seq.

A message that was good when it came may be dead by then: another used its nonce, or it has expired.
The state machine rejects it, and does not count it in the order of its signer, so that the order
of all that the signer sent hangs on it. A window holds only what is good for certain.

What cannot be told is whether a deal will trade, and so use its maker's nonce. Where that would
kill another message of the maker's, received later, that one is refused. One that goes before every
deal, as a cancel does, is not touched by any: a maker takes a quote back by using up its nonce.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from proofbook.api.errors import Refused
from proofbook.protocol.commands import TraderCommand, TwoPartyCommand
from proofbook.protocol.entry import CLASS_TAKER
from proofbook.protocol.limits import NONCE_WINDOW
from proofbook.protocol.records import SignerRecord
from proofbook.sequencer.admission import (
    check_action,
    check_expiry,
    check_nonce,
    check_nonce_range,
)
from proofbook.sequencer.window import KeySlot, Received, effective_class

NONCE_MASK = (1 << NONCE_WINDOW) - 1

ReadSigner = Callable[[int, int], SignerRecord]
"""Returns a copy of the key of an account's session before the window. Raises Refused."""


class Sifted(NamedTuple):
    """What goes into a window, in order of receipt, and what does not, with the reason."""

    good: list[Received]
    dead: list[tuple[Received, Refused]]


def sift(received: Iterable[Received], window_ns: int, read_signer: ReadSigner) -> Sifted:
    """Part the commands of a window, given in order of receipt, into good and dead."""
    sieve, sifted = Sieve(window_ns, read_signer), Sifted([], [])
    for item in received:
        try:
            sieve.take(item)
        except Refused as fault:
            # Where it was raised it is kept: with its frames it would refer to itself.
            sifted.dead.append((item, fault.with_traceback(None)))
        else:
            sifted.good.append(item)
    return sifted


class Sieve:
    """The nonces of one window: those that are used for certain, and those that may be."""

    def __init__(self, window_ns: int, read_signer: ReadSigner) -> None:
        self.window_ns = window_ns
        self._read_signer = read_signer
        self._certain: dict[KeySlot, SignerRecord] = {}
        self._possible: dict[KeySlot, SignerRecord] = {}
        self._classes: dict[KeySlot, int] = {}

    def take(self, item: Received) -> None:
        """Note a command that will be good in its place. Raises Refused for any other."""
        command = item.command
        if not isinstance(command, TraderCommand):
            return
        bringer, *makers = item.signed_by
        rank = effective_class(self._classes, item)
        check_action(command, bringer[1], self._signer(self._certain, bringer), self.window_ns)
        self._check(self._certain, bringer, command.nonce, command.expires_ns)
        if rank == CLASS_TAKER:
            self._check(self._possible, bringer, command.nonce, command.expires_ns)
        if isinstance(command, TwoPartyCommand):
            maker = command.maker
            self._check(self._certain, makers[0], maker.nonce, maker.expires_ns)
            use(self._signer(self._possible, makers[0]), maker.nonce)
        for signers in (self._certain, self._possible):
            use(self._signer(signers, bringer), command.nonce)
        self._classes[bringer] = rank

    def _signer(self, signers: dict[KeySlot, SignerRecord], key: KeySlot) -> SignerRecord:
        if key not in signers:
            signers[key] = self._read_signer(*key)
        return signers[key]

    def _check(
        self, signers: dict[KeySlot, SignerRecord], key: KeySlot, nonce: int, expires_ns: int
    ) -> None:
        check_expiry(expires_ns, self.window_ns)
        check_nonce(nonce, self._signer(signers, key))
        check_nonce_range(key[1], nonce, self.window_ns)


def use(signer: SignerRecord, nonce: int) -> None:
    """Mark a nonce as used, as the state machine does; one that is used or too old is no matter."""
    below = signer.nonce_highest - nonce
    used = int.from_bytes(signer.nonce_bitmap, "little")
    if below < 0:
        used = (used << min(-below, NONCE_WINDOW) & NONCE_MASK) | 1
        signer.nonce_highest = nonce
    elif below < NONCE_WINDOW:
        used |= 1 << below
    signer.nonce_bitmap = used.to_bytes(NONCE_WINDOW // 8, "little")
