"""Positions: what an account holds of an instrument, how trades change it, and what becomes cash.

An option is paid for at once, in cash. A perpetual or a future costs nothing to enter: the position
notes what was paid for its lots, its entry, and the difference to the mark becomes cash when it is
closed or when variation is settled.
"""

from proofbook.protocol.events import PositionSettled
from proofbook.protocol.identifiers import instrument_id
from proofbook.protocol.limits import Side
from proofbook.protocol.records import InstrumentRecord, PositionRecord
from proofbook.spec import funding, owners, trie
from proofbook.spec.accounts import add_cash
from proofbook.spec.arena import NO_SLOT
from proofbook.spec.payoff import payoff_of
from proofbook.spec.world import World


def is_linear(instrument: InstrumentRecord) -> bool:
    """Whether value accrues in the entry (perpetuals, futures) and not as premium in cash."""
    return payoff_of(instrument.kind).is_linear


def find_position(world: World, account: int, instrument: int) -> int:
    """Return the slot of the account's position in an instrument (by slot), or 0."""
    root = world.accounts[account].positions_root
    return trie.find(world.nodes, root, instrument, trie.INSTRUMENT_DEPTH)


def margined(world: World, instrument: int) -> int:
    """Return how many a position counts of the instruments that its account may have.

    One in a combo counts as itself and each of its legs, which margin adds up, be they held or not.
    """
    return 1 + world.instruments[instrument].legs_count


def open_position(world: World, account: int, instrument: int) -> int:
    """Make the record of the account's lots and orders in an instrument; return its slot."""
    slot, position = world.positions.allocate()
    owner = world.accounts.edit(account)
    position.account = account
    position.instrument = instrument
    position.order_epoch = owner.order_epoch
    _join_instrument(world, slot, position)
    position.previous_in_account = owner.positions_tail
    if owner.positions_tail:
        world.positions.edit(owner.positions_tail).next_in_account = slot
    else:
        owner.positions_head = slot
    owner.positions_tail = slot
    owner.positions_count += margined(world, instrument)
    owner.positions_root = trie.insert(
        world.nodes, owner.positions_root, instrument, trie.INSTRUMENT_DEPTH, slot
    )
    return slot


def _join_instrument(world: World, slot: int, position: PositionRecord) -> None:
    """Put a position at the end of its instrument's list of holders."""
    instrument = world.instruments.edit(position.instrument)
    position.previous_in_instrument = instrument.holders_tail
    if instrument.holders_tail:
        world.positions.edit(instrument.holders_tail).next_in_instrument = slot
    else:
        instrument.holders_head = slot
    instrument.holders_tail = slot
    instrument.holders_count += 1


def _leave_instrument(world: World, slot: int, position: PositionRecord) -> None:
    """Take a position out of its instrument's list of holders; a cursor on it goes on."""
    instrument = world.instruments.edit(position.instrument)
    before, after = position.previous_in_instrument, position.next_in_instrument
    if before:
        world.positions.edit(before).next_in_instrument = after
    else:
        instrument.holders_head = after
    if after:
        world.positions.edit(after).previous_in_instrument = before
    else:
        instrument.holders_tail = before
    instrument.holders_count -= 1
    running = instrument.deleveraging
    if running and world.deleveragings[running].cursor == slot:
        world.deleveragings.edit(running).cursor = after


def release_position(world: World, slot: int) -> None:
    """Free the record if it holds neither lots nor entry nor orders."""
    position = world.positions[slot]
    if position.lots or position.entry_atoms or position.orders_resident:
        return
    owner = world.accounts.edit(position.account)
    before, after = position.previous_in_account, position.next_in_account
    if before:
        world.positions.edit(before).next_in_account = after
    else:
        owner.positions_head = after
    if after:
        world.positions.edit(after).previous_in_account = before
    else:
        owner.positions_tail = before
    _leave_instrument(world, slot, position)
    owner.positions_count -= margined(world, position.instrument)
    owner.positions_root = trie.remove(
        world.nodes, owner.positions_root, position.instrument, trie.INSTRUMENT_DEPTH
    )
    world.positions.free(slot)


def trade(world: World, slot: int, lots: int, value_atoms: int) -> None:
    """Add signed lots bought for `value_atoms` (negative when sold) to a position, exactly.

    Premium of an option moves cash; value of a linear instrument moves the entry, which joins cash
    on closing. A perpetual's funding up to now is paid first.
    """
    position = world.positions.edit(slot)
    funding.accrue(world, position.instrument)
    funding.settle(world, slot)
    instrument = world.instruments.edit(position.instrument)
    lots_before = position.lots
    position.lots += lots
    instrument.open_interest_lots += max(0, position.lots) - max(0, lots_before)
    owners.count(world, position.account, position.instrument, lots_before, position.lots)
    if not is_linear(instrument):
        add_cash(world, position.account, -value_atoms)
        return
    position.entry_atoms -= value_atoms
    if position.lots == 0:
        add_cash(world, position.account, position.entry_atoms)
        position.entry_atoms = 0


def is_settled(instrument: InstrumentRecord) -> bool:
    """Whether the instrument's expiry is settled and its mark is final."""
    return instrument.settled_ns > 0


def close_settled(world: World, slot: int) -> None:
    """Close a position at the final mark of its instrument, if it has one: linear or not, in cash.

    The other side of every lot does so too, at the same mark: no atom is lost.
    """
    position = world.positions[slot]
    instrument = world.instruments[position.instrument]
    if not position.lots or not is_settled(instrument):
        return
    lots, mark_atoms = position.lots, world.risk_arrays[position.instrument].mark_atoms
    trade(world, slot, -lots, -lots * mark_atoms)
    identifier = instrument_id(position.instrument, instrument.generation)
    world.emit(PositionSettled(position.account, identifier, lots, mark_atoms))


def due_atoms(world: World, account: int) -> int:
    """Return what `close_settled` and funding would add to an account's cash, had they been asked.

    Whoever is asked for his cash has it, though nobody has settled it yet.
    """
    due = 0
    for position in world.positions_of(account):
        due -= funding.pending_atoms(world, position)
        if is_settled(world.instruments[position.instrument]):
            mark_atoms = world.risk_arrays[position.instrument].mark_atoms
            due += position.entry_atoms + position.lots * mark_atoms
    return due


def settle_variation(world: World, account: int) -> None:
    """Settle linear positions at their marks: cash += entry + lots·mark, entry = −lots·mark.

    Their funding is paid too, and what has its final mark is closed, options as well. The records
    of what is closed stay until a SettleAccount.
    """
    profit_atoms = 0
    slot = world.accounts[account].positions_head
    while slot != NO_SLOT:
        close_settled(world, slot)
        position = world.positions[slot]
        if is_linear(world.instruments[position.instrument]) and position.lots:
            value_atoms = position.lots * world.risk_arrays[position.instrument].mark_atoms
            profit_atoms += position.entry_atoms + value_atoms
            world.positions.edit(slot).entry_atoms = -value_atoms
            funding.settle(world, slot)
        slot = position.next_in_account
    add_cash(world, account, profit_atoms)


def renew(position: PositionRecord, order_epoch: int) -> None:
    """Forget what orders of another epoch could add."""
    if position.order_epoch != order_epoch:
        position.open_buy_lots = position.open_sell_lots = position.order_reserve_atoms = 0
        position.combo_buy_lots = position.combo_sell_lots = 0
        position.order_epoch = order_epoch


def open_orders(world: World, position: PositionRecord) -> tuple[int, int, int]:
    """Return lots to buy, lots to sell and atoms reserved by live orders: 0 after a CancelAll."""
    if position.order_epoch != world.live_epoch(position.account):
        return 0, 0, 0
    return position.open_buy_lots, position.open_sell_lots, position.order_reserve_atoms


def reach(world: World, position_slot: int, side: Side) -> int:
    """Return the lots of a side that an account holds or may come to hold: orders of combos too."""
    if not position_slot:
        return 0
    position = world.positions[position_slot]
    buys, sells, _ = open_orders(world, position)
    if position.order_epoch == world.live_epoch(position.account):
        buys, sells = buys + position.combo_buy_lots, sells + position.combo_sell_lots
    return position.lots + buys if side == Side.BUY else sells - position.lots
