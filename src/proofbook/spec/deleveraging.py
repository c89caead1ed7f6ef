"""Deleveraging: holders on the other side close what nobody takes from an account that owes.

Its book halts, its mark stays, and its price is fixed: the mark, less the share of the leg in what
neither the account nor the fund can pay. That is the leg's part of maintenance margin: who has sold
what is next to worthless pays for no other leg, nor does anybody for one whose holders cannot pay.

Holders are ranked by how much of their equity maintenance margin takes. One pass over them counts
lots by rank, the next closes those of the highest ranks; of the rank in which only a part is
needed, everybody's share. Nobody's maintenance margin takes more of his equity afterwards, if any
others are there: two further passes close the rest, first for what holders can bear, then at the
mark. What is not paid so, the fund owes.
"""

from dataclasses import dataclass

from proofbook.protocol.commands import Deleverage
from proofbook.protocol.events import DeleveragingStarted, PositionDeleveraged
from proofbook.protocol.identifiers import instrument_id
from proofbook.protocol.limits import (
    DELEVERAGING_BUCKETS,
    DELEVERAGING_HOLDER_WORK,
    DELEVERAGING_WORK_MAX,
    AuctionPhase,
    DeleveragingPhase,
    InstrumentState,
    Reject,
)
from proofbook.protocol.records import DeleveragingRecord, PositionRecord
from proofbook.spec import fund_share, funding, insurance, liquidation, states
from proofbook.spec.accounts import add_cash
from proofbook.spec.exposure import Exposure
from proofbook.spec.liquidation_auctions import full_ns, is_leg_live
from proofbook.spec.portfolio import Portfolio, is_insolvent, positions_alone
from proofbook.spec.positions import find_position, release_position, trade
from proofbook.spec.relief import Relief
from proofbook.spec.wide import event_atoms, mul_div_down
from proofbook.spec.world import World

HIGHEST_RANK = DELEVERAGING_BUCKETS - 1


@dataclass(slots=True)
class Step:
    """One command's part of a deleveraging: the record, the leg, and what is still to be paid."""

    record: DeleveragingRecord
    position: int
    owed_atoms: int


def deleverage(world: World, command: Deleverage) -> Reject | None:
    """Halt the book of a leg and begin to close it with the holders on the other side, or go on.

    Rejects  ACCOUNT_NOT_FOUND; LEG_INVALID (no position, none that is live as in an auction, one in
             a book that uncrosses, or is halted for another account); DELEVERAGING_NOT_DUE unless
             the account owes, has no orders, and its auction is over or beyond the fund's share.
    """
    account = command.account
    if not world.account_exists(account):
        return Reject.ACCOUNT_NOT_FOUND
    slot = states.find_instrument(world, command.instrument)
    if not slot:
        return Reject.LEG_INVALID
    running = world.instruments[slot].deleveraging
    if running and world.deleveragings[running].account != account:
        return Reject.LEG_INVALID
    if not running:
        rejection = _start_rejection(world, account, slot)
        if rejection is not None:
            return rejection
        _start(world, account, slot)
    _go_on(world, world.instruments[slot].deleveraging)
    return None


def _start_rejection(world: World, account: int, slot: int) -> Reject | None:
    position_slot = find_position(world, account, slot)
    is_held = position_slot and world.positions[position_slot].lots
    is_uncrossing = world.instruments[slot].auction_phase != AuctionPhase.NONE
    if not is_held or is_uncrossing or not is_leg_live(world, slot):
        return Reject.LEG_INVALID
    is_due = _is_due(world, positions_alone(world, account))
    return None if is_due else Reject.DELEVERAGING_NOT_DUE


def _is_due(world: World, held: Portfolio) -> bool:
    """Whether the account owes and nobody is waited for: bids had their time, or none are taken."""
    slot = world.accounts[held.account].auction
    if not slot or liquidation.has_live_orders(world, held.account):
        return False
    auction = world.auctions[slot]
    if not auction.insolvent_ns or not is_insolvent(held):
        return False
    over_ns = auction.insolvent_ns + full_ns(world, auction)
    is_over = world.header.window_ns >= over_ns
    return is_over or not insurance.is_paid_by_fund(world, auction, held)


def _start(world: World, account: int, slot: int) -> None:
    """Halt the book, and fix what its holders are charged."""
    funding.accrue(world, slot)
    instrument = world.instruments.edit(slot)
    record_slot, record = world.deleveragings.allocate()
    lots = world.positions[find_position(world, account, slot)].lots
    record.account, record.instrument, record.lots = account, slot, abs(lots)
    record.phase, record.cursor = DeleveragingPhase.COUNTING, instrument.holders_head
    record.relief_atoms, record.deficit_atoms = _deficit_down(world, account, slot)
    record.state_before, instrument.state = instrument.state, InstrumentState.HALTED
    instrument.deleveraging = record_slot
    identifier = instrument_id(slot, instrument.generation)
    deficit_atoms = event_atoms(record.deficit_atoms)
    world.emit(DeleveragingStarted(account, identifier, lots, deficit_atoms))
    states.emit_changed(world, slot)


def _deficit_down(world: World, account: int, slot: int) -> tuple[int, int]:
    """Return what the leg takes of the margin not yet charged for, and its part of what is owed.

    What it takes is by how much maintenance margin falls without it. The margin is that of the
    first leg, and falls as holders pay: what those of one leg do not pay is left for no other.

    Rounds down: for the holders.
    """
    held = positions_alone(world, account)
    relief = Relief(world, held)
    auction = world.auctions.edit(world.accounts[account].auction)
    if auction.uncharged_atoms == 0:
        auction.uncharged_atoms = relief.required_atoms
    closing = {slot: Exposure(-held.exposures[slot].lots)}
    taken_atoms = min(max(0, relief.of(closing)), auction.uncharged_atoms)
    if taken_atoms == 0:
        return 0, 0
    owed_atoms = _owed_atoms(world, held)
    return taken_atoms, mul_div_down(owed_atoms, taken_atoms, auction.uncharged_atoms)


def _owed_atoms(world: World, held: Portfolio) -> int:
    """Return what neither the account pays, stale legs at their best, nor the fund for it."""
    slot = world.accounts[held.account].auction
    fund_atoms = fund_share.left_atoms(world, world.auctions[slot]) if slot else 0
    return max(0, -(held.equity_atoms + held.stale_high_atoms + fund_atoms))


def _go_on(world: World, slot: int) -> None:
    """Visit holders as far as one command may; end if the leg is closed, or is not to be closed."""
    record = world.deleveragings.edit(slot)
    account, instrument = record.account, record.instrument
    funding.accrue(world, instrument)
    held = positions_alone(world, account)
    step = Step(record, find_position(world, account, instrument), _owed_atoms(world, held))
    is_on = world.instruments[instrument].state == InstrumentState.HALTED and (
        is_insolvent(held) and not states.is_expired(world, world.instruments[instrument])
    )
    owed_atoms, is_over = step.owed_atoms, not is_on or _visit_holders(world, step)
    _count_charged(world, step, owed_atoms - step.owed_atoms)
    if is_over:
        states.reopen(world, instrument)
    if step.position:
        release_position(world, step.position)
    insurance.settle(world, account)


def _count_charged(world: World, step: Step, charged_atoms: int) -> None:
    """Take the part of the margin away for which holders have been charged. Rounds down."""
    record, slot = step.record, world.accounts[step.record.account].auction
    if slot and charged_atoms:
        part = mul_div_down(record.relief_atoms, charged_atoms, record.deficit_atoms)
        auction = world.auctions.edit(slot)
        auction.uncharged_atoms -= min(part, auction.uncharged_atoms)


def _visit_holders(world: World, step: Step) -> bool:
    """Visit holders, pass after pass; return whether the leg is closed, or no pass is left."""
    work = 0
    while _lots_left(world, step):
        record = step.record
        if not record.cursor:
            if record.phase == DeleveragingPhase.CLOSING:
                return True
            _begin_pass(world, record)
        added = _work(world, step)
        if work and work + added > DELEVERAGING_WORK_MAX:
            return False
        work += added
        visited, holder = record.cursor, world.positions[record.cursor]
        record.cursor = holder.next_in_instrument
        if _is_opposite(world, step, holder):
            _visit(world, step, visited)
    return True


def _lots_left(world: World, step: Step) -> int:
    return abs(world.positions[step.position].lots) if step.position else 0


def _is_opposite(world: World, step: Step, holder: PositionRecord) -> bool:
    """Whether lots of the holder can be closed with the leg."""
    return holder.lots * world.positions[step.position].lots < 0


def _work(world: World, step: Step) -> int:
    """Return what the next holder counts towards the bound of a command."""
    holder = world.positions[step.record.cursor]
    if not _is_opposite(world, step, holder):
        return 1
    return 1 + DELEVERAGING_HOLDER_WORK + world.accounts[holder.account].positions_count


def _begin_pass(world: World, record: DeleveragingRecord) -> None:
    """Begin with the first holder again; after the count, find the rank of which a part is needed.

    All ranks above are closed. If everybody counted is needed, that is all of the lowest rank.
    """
    if record.phase == DeleveragingPhase.COUNTING:
        above, rank = 0, HIGHEST_RANK
        while rank and above + record.bucket_lots[rank] < record.lots:
            above, rank = above + record.bucket_lots[rank], rank - 1
        record.threshold, record.counted_lots = rank, record.bucket_lots[rank]
        record.wanted_lots = min(record.lots - above, record.counted_lots)
    record.phase += 1
    record.cursor = world.instruments[record.instrument].holders_head


def _visit(world: World, step: Step, holder_slot: int) -> None:
    """Count a holder, or close what the pass asks of him."""
    record, holder = step.record, world.positions[holder_slot]
    lots = min(abs(holder.lots), _lots_left(world, step))
    if record.phase == DeleveragingPhase.CLOSING:
        _close(world, step, holder_slot, lots, 0)
        return
    relief = Relief(world, positions_alone(world, holder.account))
    if record.phase == DeleveragingPhase.SPREADING:
        _close_bearable(world, step, holder_slot, relief, lots)
        return
    bearable_atoms = _bearable_down(world, step, relief, lots)
    if bearable_atoms is None or bearable_atoms < _share_down(world, step, lots):
        return
    rank = _rank(world, step, relief)
    if record.phase == DeleveragingPhase.COUNTING:
        record.bucket_lots[rank] += abs(holder.lots)
    else:
        asked = min(lots, _asked(record, rank, abs(holder.lots)))
        _close_bearable(world, step, holder_slot, relief, asked)


def _rank(world: World, step: Step, relief: Relief) -> int:
    """Return by how much of his equity maintenance margin takes a holder comes first.

    Accounts of the same owner come before all others.
    """
    owners = [world.accounts[each].owner for each in (step.record.account, relief.held.account)]
    if owners[0] == owners[1]:
        return HIGHEST_RANK
    rank = DELEVERAGING_BUCKETS * relief.required_atoms // relief.held.equity_atoms
    return min(HIGHEST_RANK, rank)


def _asked(record: DeleveragingRecord, rank: int, lots: int) -> int:
    """Return the lots that the second pass asks of a holder.

    All of a rank above the threshold; in it his share, so that all shares are what is wanted.
    """
    if rank != record.threshold:
        return lots if rank > record.threshold else 0
    before, after = record.seen_lots, min(record.seen_lots + lots, record.counted_lots)
    record.seen_lots = after
    wanted, counted = record.wanted_lots, max(1, record.counted_lots)
    return mul_div_down(wanted, after, counted) - mul_div_down(wanted, before, counted)


def _share_down(world: World, step: Step, lots: int) -> int:
    """Return what the price of the next lots is below the mark: those of all lots are the deficit.

    Rounds down, and the rest into later lots.
    """
    record = step.record
    done = record.lots - _lots_left(world, step)
    until = mul_div_down(record.deficit_atoms, done + lots, record.lots)
    return until - mul_div_down(record.deficit_atoms, done, record.lots)


def _bearable_down(world: World, step: Step, relief: Relief, lots: int) -> int | None:
    """Return what closing lots may cost a holder: then maintenance / equity is what it was.

    None if it rises even at the mark, or without equity. Rounds down: for the holder.
    """
    equity_atoms = relief.held.equity_atoms
    closing = lots if world.positions[step.position].lots > 0 else -lots
    relief_atoms = relief.of({step.record.instrument: Exposure(closing)})
    if equity_atoms <= 0 or relief_atoms < 0:
        return None
    if relief_atoms == 0:
        return 0
    return mul_div_down(equity_atoms, relief_atoms, relief.required_atoms)


def _close_bearable(world: World, step: Step, holder_slot: int, relief: Relief, lots: int) -> None:
    """Close lots with a holder for their share of what is owed, at most what he can bear."""
    bearable_atoms = _bearable_down(world, step, relief, lots)
    if lots and bearable_atoms is not None:
        charge_atoms = min(_share_down(world, step, lots), bearable_atoms, step.owed_atoms)
        _close(world, step, holder_slot, lots, charge_atoms)


def _close(world: World, step: Step, holder_slot: int, lots: int, charge_atoms: int) -> None:
    """Close lots of the leg with a holder at the mark, and charge him."""
    slot, account = step.record.instrument, step.record.account
    holder = world.positions[holder_slot].account
    mark_atoms = world.risk_arrays[slot].mark_atoms
    taken = lots if world.positions[step.position].lots > 0 else -lots
    trade(world, step.position, -taken, -taken * mark_atoms)
    trade(world, holder_slot, taken, taken * mark_atoms)
    add_cash(world, holder, -charge_atoms)
    add_cash(world, account, charge_atoms)
    step.owed_atoms -= charge_atoms
    identifier = instrument_id(slot, world.instruments[slot].generation)
    charged = event_atoms(charge_atoms)
    world.emit(PositionDeleveraged(account, holder, identifier, taken, mark_atoms, charged))
    release_position(world, holder_slot)
    insurance.settle(world, holder)
