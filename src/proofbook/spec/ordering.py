"""Time and order of entries: the key that must rise, and the header that every entry moves."""

from proofbook.protocol.commands import Command, TraderCommand
from proofbook.protocol.entry import INBOX_TAGS, Entry, command_bytes, own_class, parties
from proofbook.protocol.hashing import keccak
from proofbook.protocol.scopes import action_fault
from proofbook.spec.sessions import authority_fault, signer_slot
from proofbook.spec.world import World


def acting_account(world: World, entry: Entry) -> int | None:
    """Return the account in whose own order the entry stands: who brings it, if he may.

    Nobody's is an entry that a sequencer could make of what it finds: of an empty session slot, or
    of a message that has expired or whose nonce is used. A message counts once, as it uses its
    nonce up. Nor does what a session may never do, so that a key for cancels puts none of them
    last; nor the maker of a deal, who has not picked its moment.
    """
    if not isinstance(entry.command, TraderCommand):
        return None
    bringer = parties(entry)[0]
    if authority_fault(world, bringer, entry.window_ns) is not None:
        return None
    signer = world.signers[signer_slot(world, bringer)]
    fault = action_fault(signer, bringer.session, entry.command, entry.window_ns)
    return bringer.account if fault is None else None


def effective_class(world: World, entry: Entry, account: int | None) -> int:
    """Return max(own class, class of the account's previous entry in the same window)."""
    own = own_class(entry.command)
    if account is None or world.accounts[account].last_window_ns != entry.window_ns:
        return own
    return max(own, world.accounts[account].last_class)


def is_in_order(world: World, entry: Entry, account: int | None) -> bool:
    """Whether the entry's key exceeds the last one and it was received inside its window.

    And after what its account has sent before in the same window: an account's own order holds.
    """
    header = world.header
    is_new_window = entry.window_ns > header.window_ns
    previous_ns = header.window_ns if is_new_window else header.previous_window_ns
    key = (entry.window_ns, effective_class(world, entry, account), entry.received_ns)
    last_key = (header.window_ns, header.last_class, header.last_received_ns)
    is_received_inside = previous_ns < entry.received_ns <= entry.window_ns
    return is_received_inside and key > last_key and _follows_own(world, entry, account)


def _follows_own(world: World, entry: Entry, account: int | None) -> bool:
    """Whether the account had its previous entry received before this one."""
    if account is None or world.accounts[account].last_window_ns != entry.window_ns:
        return True
    return entry.received_ns > world.accounts[account].last_received_ns


def advance_header(world: World, entry: Entry, account: int | None) -> None:
    """Count the entry and record its key, in the header and in its account."""
    header = world.header
    entry_class = effective_class(world, entry, account)
    header.seq += 1
    if entry.window_ns > header.window_ns:
        header.previous_window_ns = header.window_ns
        header.window_ns = entry.window_ns
    header.last_class = entry_class
    header.last_received_ns = entry.received_ns
    if account is not None:
        record = world.accounts.edit(account)
        record.last_window_ns = entry.window_ns
        record.last_received_ns = entry.received_ns
        record.last_class = entry_class


def consume_request(world: World, command: Command) -> None:
    """Move inbox position and prefix hash over a command from the inbox; ignore all others."""
    if command.TAG in INBOX_TAGS:
        header = world.header
        header.inbox_position += 1
        header.inbox_hash = keccak(header.inbox_hash + keccak(command_bytes(command)))
