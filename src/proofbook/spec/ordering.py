"""Time and order of entries: the key that must rise, and the header that every entry moves."""

from proofbook.protocol.commands import Command
from proofbook.protocol.entry import (
    INBOX_TAGS,
    Entry,
    command_bytes,
    ordered_accounts,
    own_class,
    parties,
)
from proofbook.protocol.hashing import keccak
from proofbook.spec.sessions import signer_slot
from proofbook.spec.world import World


def effective_class(world: World, entry: Entry) -> int:
    """Return max(own class, classes of its accounts' previous entries in the same window)."""
    records = [world.accounts[account] for account in _ordered_accounts(world, entry)]
    before = [record.last_class for record in records if record.last_window_ns == entry.window_ns]
    return max(own_class(entry.command), *before) if before else own_class(entry.command)


def _ordered_accounts(world: World, entry: Entry) -> list[int]:
    """Return the accounts in whose own order the entry stands.

    Those alone whose key there is: nobody has signed in an empty slot of an account's sessions.
    """
    own = parties(entry)[: len(ordered_accounts(entry.command))]
    return [party.account for party in own if signer_slot(world, party)]


def is_in_order(world: World, entry: Entry) -> bool:
    """Whether the entry's key exceeds the last one and it was received inside its window.

    And after what its accounts have signed in the same window: an account's own order holds.
    """
    header = world.header
    is_new_window = entry.window_ns > header.window_ns
    previous_ns = header.window_ns if is_new_window else header.previous_window_ns
    key = (entry.window_ns, effective_class(world, entry), entry.received_ns)
    last_key = (header.window_ns, header.last_class, header.last_received_ns)
    is_received_inside = previous_ns < entry.received_ns <= entry.window_ns
    return is_received_inside and key > last_key and _follows_own(world, entry)


def _follows_own(world: World, entry: Entry) -> bool:
    """Whether each of its accounts had its previous entry received before it."""
    records = [world.accounts[account] for account in _ordered_accounts(world, entry)]
    return all(
        entry.received_ns > record.last_received_ns
        for record in records
        if record.last_window_ns == entry.window_ns
    )


def advance_header(world: World, entry: Entry) -> None:
    """Count the entry and record its key, in the header and in its accounts."""
    header = world.header
    entry_class = effective_class(world, entry)
    header.seq += 1
    if entry.window_ns > header.window_ns:
        header.previous_window_ns = header.window_ns
        header.window_ns = entry.window_ns
    header.last_class = entry_class
    header.last_received_ns = entry.received_ns
    for account in _ordered_accounts(world, entry):
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
