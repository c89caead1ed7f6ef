"""Time and order: where an entry may stand after those before it, and what every entry moves.

A sequencer orders commands, and may not order them as it likes. Time goes on in windows. Within a
window commands stand by class, cancels before orders that only rest and these before all others,
and within a class by time of receipt; whatever one key has signed stays in the order in which it
was received. An entry that does not follow so is void.
"""

from proofbook.protocol.commands import Command, TraderCommand
from proofbook.protocol.entry import INBOX_TAGS, Entry, command_bytes, own_class, parties
from proofbook.protocol.hashing import keccak
from proofbook.protocol.limits import WINDOW_NS_MAX
from proofbook.spec.sessions import authority_rejection, signer_slot
from proofbook.spec.world import World


def acting_signer(world: World, entry: Entry) -> int | None:
    """Return the slot of the key in whose own order the entry stands, or None.

    That is the key of who brings it, if it may act. An entry that a sequencer could make by itself
    stands in nobody's order: one of an empty session slot, or a message that has expired or whose
    nonce is used. Each key has an order of its own, so that no session puts its owner's cancels
    last; and the maker of a deal, who has not picked its moment, is in no order by it.
    """
    if not isinstance(entry.command, TraderCommand):
        return None
    bringer = parties(entry)[0]
    rejection = authority_rejection(world, bringer, entry.window_ns)
    return signer_slot(world, bringer) if rejection is None else None


def effective_class(world: World, entry: Entry, signer: int | None) -> int:
    """Return the class by which an entry stands in its window.

    Its command's, unless an entry of the same key came before it there with a higher one: nobody's
    cancel overtakes an order that he sent before it.
    """
    own = own_class(entry.command)
    if signer is None or world.signers[signer].last_window_ns != entry.window_ns:
        return own
    return max(own, world.signers[signer].last_class)


def is_in_order(world: World, entry: Entry, signer: int | None) -> bool:
    """Whether the entry's key exceeds the last one and it was received inside its window.

    And after what its signer has sent before in the same window: a signer's own order holds. No
    window is so late that times which are added to it would not fit 64 bits.
    """
    header = world.header
    is_new_window = entry.window_ns > header.window_ns
    previous_ns = header.window_ns if is_new_window else header.previous_window_ns
    key = (entry.window_ns, effective_class(world, entry, signer), entry.received_ns)
    last_key = (header.window_ns, header.last_class, header.last_received_ns)
    is_received_inside = previous_ns < entry.received_ns <= entry.window_ns <= WINDOW_NS_MAX
    return is_received_inside and key > last_key and _follows_own(world, entry, signer)


def _follows_own(world: World, entry: Entry, signer: int | None) -> bool:
    """Whether the signer had its previous entry received before this one."""
    if signer is None or world.signers[signer].last_window_ns != entry.window_ns:
        return True
    return entry.received_ns > world.signers[signer].last_received_ns


def advance_header(world: World, entry: Entry, signer: int | None) -> None:
    """Count the entry and record its key, in the header and with its signer."""
    header = world.header
    entry_class = effective_class(world, entry, signer)
    header.seq += 1
    if entry.window_ns > header.window_ns:
        header.previous_window_ns = header.window_ns
        header.window_ns = entry.window_ns
    header.last_class = entry_class
    header.last_received_ns = entry.received_ns
    if signer is not None:
        record = world.signers.edit(signer)
        record.last_window_ns = entry.window_ns
        record.last_received_ns = entry.received_ns
        record.last_class = entry_class


def consume_request(world: World, command: Command) -> None:
    """Move inbox position and prefix hash over a command from the inbox; ignore all others."""
    if command.TAG in INBOX_TAGS:
        header = world.header
        header.inbox_position += 1
        header.inbox_hash = keccak(header.inbox_hash + keccak(command_bytes(command)))
