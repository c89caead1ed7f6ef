"""Expiries: the average of the index that settles them, and the end of what is held in them.

The settlement price is the index over the 30 minutes before the expiry, weighted with time: each
observation counts from when it was published until the next one was, at most as long as it may be
old. If observations cover less than 20 of the 30 minutes, the window goes on after the expiry until
they do, for 30 minutes at most; then the governor decides. So an expiry settles at last, whatever
publishers do, and nobody can choose the moment.
"""

from proofbook.protocol.commands import SetSettlement, SettleAccount, SettleExpiry
from proofbook.protocol.events import ExpirySettled
from proofbook.protocol.limits import (
    INDEX_ATOMS_MAX,
    ORACLE_AGE_MAX_NS,
    SETTLEMENT_EXTENSION_NS,
    SETTLEMENT_LEAST_NS,
    SETTLEMENT_WINDOW_NS,
    SETTLEMENTS_PER_COMMAND_MAX,
    Reject,
)
from proofbook.protocol.records import ExpiryRecord, InstrumentRecord, UnderlyingRecord
from proofbook.spec import funding, insurance
from proofbook.spec.arena import NO_SLOT
from proofbook.spec.black76 import HUNDREDTHS
from proofbook.spec.payoff import Price, payoff_of
from proofbook.spec.positions import close_settled, is_settled, release_position
from proofbook.spec.world import World


def observe(world: World, underlying_slot: int, until_ns: int) -> None:
    """Count the index for as long as it stood, in the window of every expiry that it falls into.

    To be called before the index changes to one published at `until_ns`.
    """
    underlying = world.underlyings[underlying_slot]
    for slot in underlying.expiries[: underlying.expiries_count]:
        if until_ns <= world.expiries[slot].expiry_ns - SETTLEMENT_WINDOW_NS:
            return
        _count(world, slot, until_ns)


def _count(world: World, slot: int, until_ns: int) -> None:
    underlying = world.underlyings[world.expiries[slot].underlying]
    counted_ns = _counted_ns(world.expiries[slot], underlying, until_ns)
    if counted_ns:
        expiry = world.expiries.edit(slot)
        expiry.settlement_sum += underlying.index_atoms * counted_ns
        expiry.settlement_covered_ns += counted_ns


def _counted_ns(expiry: ExpiryRecord, underlying: UnderlyingRecord, until_ns: int) -> int:
    """Return for how long the index counts until a moment: after the expiry only what is missing.

    Units ns.
    """
    end_ns = min(until_ns, underlying.index_ns + ORACLE_AGE_MAX_NS)
    begin_ns = max(underlying.index_ns, expiry.expiry_ns - SETTLEMENT_WINDOW_NS)
    before_ns = max(0, min(end_ns, expiry.expiry_ns) - begin_ns)
    last_ns = min(end_ns, expiry.expiry_ns + SETTLEMENT_EXTENSION_NS)
    after_ns = max(0, last_ns - max(begin_ns, expiry.expiry_ns))
    covered_ns = expiry.settlement_covered_ns + before_ns
    return before_ns + min(after_ns, max(0, SETTLEMENT_LEAST_NS - covered_ns))


def settle_expiry(world: World, command: SettleExpiry) -> Reject | None:
    """Give an expiry the average of the index as its price, and take it out of curves and surfaces.

    Rounds   to nearest, half up.
    Rejects  EXPIRY_NOT_FOUND (perpetuals have none that could come); SETTLEMENT_NOT_DUE while an
             observation from before the expiry could still come; SETTLEMENT_DONE;
             SETTLEMENT_MISSING if less than 20 minutes are covered.
    """
    rejection = _due_rejection(world, command.expiry)
    if rejection is not None:
        return rejection
    expiry = world.expiries[command.expiry]
    if _covered_ns(world, expiry) < SETTLEMENT_LEAST_NS:
        return Reject.SETTLEMENT_MISSING
    _count(world, command.expiry, expiry.expiry_ns)
    covered_ns = expiry.settlement_covered_ns
    _settle(world, command.expiry, div_nearest(expiry.settlement_sum, covered_ns))
    return None


def set_settlement(world: World, command: SetSettlement) -> Reject | None:
    """Give an expiry the governor's price: only where there is no average, and none can come.

    Rejects  OBSERVATION_OUT_OF_RANGE for a price that an index could not have; EXPIRY_NOT_FOUND (or
             of another date); SETTLEMENT_NOT_DUE; SETTLEMENT_DONE; SETTLEMENT_POSSIBLE if 20
             minutes are covered, or may yet be.
    """
    if not 1 <= command.price_atoms <= INDEX_ATOMS_MAX:
        return Reject.OBSERVATION_OUT_OF_RANGE
    if not _is_dated(world, command.expiry, command.expiry_ns):
        return Reject.EXPIRY_NOT_FOUND
    rejection = _due_rejection(world, command.expiry)
    if rejection is not None:
        return rejection
    expiry = world.expiries[command.expiry]
    last_ns = expiry.expiry_ns + SETTLEMENT_EXTENSION_NS + ORACLE_AGE_MAX_NS
    is_covered = _covered_ns(world, expiry) >= SETTLEMENT_LEAST_NS
    if is_covered or world.header.window_ns <= last_ns:
        return Reject.SETTLEMENT_POSSIBLE
    _settle(world, command.expiry, command.price_atoms)
    return None


def _is_dated(world: World, slot: int, expiry_ns: int) -> bool:
    return slot in world.expiries and world.expiries[slot].expiry_ns == expiry_ns


def _due_rejection(world: World, slot: int) -> Reject | None:
    """Return why an expiry cannot be settled yet, or any more, or None.

    Its time has come when no observation from before it can be taken: a later one has been, or
    they would be too old.

    Rejects EXPIRY_NOT_FOUND, SETTLEMENT_DONE, SETTLEMENT_NOT_DUE.
    """
    if slot not in world.expiries or not world.expiries[slot].expiry_ns:
        return Reject.EXPIRY_NOT_FOUND
    expiry = world.expiries[slot]
    if expiry.settled_ns:
        return Reject.SETTLEMENT_DONE
    is_beyond = world.underlyings[expiry.underlying].index_ns >= expiry.expiry_ns
    is_over = world.header.window_ns > expiry.expiry_ns + ORACLE_AGE_MAX_NS
    return None if is_beyond or is_over else Reject.SETTLEMENT_NOT_DUE


def _covered_ns(world: World, expiry: ExpiryRecord) -> int:
    """Return what is covered once the last index before the expiry has counted to its end."""
    underlying = world.underlyings[expiry.underlying]
    return expiry.settlement_covered_ns + _counted_ns(expiry, underlying, expiry.expiry_ns)


def _settle(world: World, slot: int, price_atoms: int) -> None:
    expiry = world.expiries.edit(slot)
    expiry.settlement_atoms = price_atoms
    expiry.settled_ns = world.header.window_ns
    leave_underlying(world, slot)
    world.emit(
        ExpirySettled(
            slot, expiry.underlying, expiry.expiry_ns, price_atoms, expiry.settlement_covered_ns
        )
    )


def leave_underlying(world: World, slot: int) -> None:
    """Take an expiry out of the underlying's ascending list, if it is there."""
    underlying = world.underlyings.edit(world.expiries[slot].underlying)
    if slot in underlying.expiries:
        underlying.expiries.remove(slot)
        underlying.expiries.append(NO_SLOT)
        underlying.expiries_count -= 1


def final_mark(instrument: InstrumentRecord, settlement_atoms: int) -> int:
    """Return what a lot is worth at a settlement price, for ever: whole ticks, in atoms.

    Rounds to nearest, half up: the price, and what it is worth (a strike may lie between ticks).
    """
    tick_atoms = instrument.tick_atoms
    price_atoms = div_nearest(settlement_atoms, tick_atoms) * tick_atoms
    price = Price(price_atoms * HUNDREDTHS, 0)
    strike = Price(instrument.strike_atoms * HUNDREDTHS, 0)
    value = payoff_of(instrument.kind).value(price, strike, 0)
    return div_nearest(value, tick_atoms * HUNDREDTHS) * instrument.tick_value_atoms


def settle_account(world: World, command: SettleAccount) -> Reject | None:
    """Pay funding and close what has its final mark, and free the records that are empty then.

    What the account owes that holds nothing more is covered, and what was begun for its debts ends.

    Rejects  ACCOUNT_NOT_FOUND; CURSOR_INVALID if the cursor is no position of the account;
             NOTHING_TO_SETTLE if none of the 32 positions from there on changes.
    """
    if not world.account_exists(command.account):
        return Reject.ACCOUNT_NOT_FOUND
    slot = command.cursor or world.accounts[command.account].positions_head
    if command.cursor and not _is_position_of(world, command.account, command.cursor):
        return Reject.CURSOR_INVALID
    due: list[int] = []
    for _ in range(SETTLEMENTS_PER_COMMAND_MAX):
        if slot == NO_SLOT:
            break
        if _is_due(world, slot):
            due.append(slot)
        slot = world.positions[slot].next_in_account
    for slot in due:
        close_settled(world, slot)
        funding.settle(world, slot)
        release_position(world, slot)
    if not due:
        return Reject.NOTHING_TO_SETTLE
    insurance.settle(world, command.account)
    return None


def _is_position_of(world: World, account: int, slot: int) -> bool:
    return slot in world.positions and world.positions[slot].account == account


def _is_due(world: World, slot: int) -> bool:
    """Whether a position has funding to pay, is at its end, or holds nothing."""
    position = world.positions[slot]
    is_empty = not position.lots and not position.orders_resident
    is_ended = position.lots != 0 and is_settled(world.instruments[position.instrument])
    return is_empty or is_ended or funding.pending_atoms(world, position) != 0


def div_nearest(numerator: int, denominator: int) -> int:
    """Return the quotient of numbers that are not negative, rounded to nearest, half up."""
    return (2 * numerator + denominator) // (2 * denominator)
