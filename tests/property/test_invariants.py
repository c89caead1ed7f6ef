"""What records keep as sums and links, counted anew from the records that they sum and link.

After every few entries of a random stream: nothing is counted that is not there, and nothing is
there that nobody counts.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from proofbook.protocol.limits import (
    INSTRUMENTS_PER_ACCOUNT_MAX,
    ORDERS_PER_ACCOUNT_MAX,
    POSITION_LOTS_MAX,
    SESSIONS_PER_ACCOUNT,
    TRIGGERS_PER_ACCOUNT_MAX,
    AuctionPhase,
    Side,
)
from proofbook.protocol.records import OrderRecord
from proofbook.simulator.workload import CHAIN_ID, CONTRACT, Workload
from proofbook.spec import State, book, combos, ladder, trie
from proofbook.spec.accounts import INDEX_UNIT_BITS, debt_of, interest_index
from proofbook.spec.arena import Arena
from proofbook.spec.funding import pending_atoms
from proofbook.spec.positions import find_position, is_settled, margined, reach
from proofbook.spec.prices import legs_of
from proofbook.spec.states import gathers
from proofbook.spec.world import World

ENTRIES = 6_000
EVERY = 100


def in_use(arena: Arena[Any]) -> set[int]:
    """Return the slots that are not on the free list."""
    free: set[int] = set()
    slot = arena.free_head
    while slot:
        assert slot not in free, "the free list ends"
        free.add(slot)
        slot = arena.records[slot].next
    return set(range(1, arena.high_water)) - free


def listed(
    arena: Arena[Any], head: int, tail: int, after: str, before: str
) -> Iterator[tuple[int, Any]]:
    """Yield slots and records of a doubly linked list, each link checked both ways."""
    previous, slot = 0, head
    while slot:
        record = arena[slot]
        assert getattr(record, before) == previous
        yield slot, record
        previous, slot = slot, getattr(record, after)
    assert previous == tail


def is_counted(world: World, order: OrderRecord) -> bool:
    """Whether an order reserves something: not after a CancelAll or a deadline."""
    return not ladder.is_epoch_over(world, order)


def check_arenas(world: World) -> None:
    for arena in world.arenas.values():
        assert arena.live == len(in_use(arena)), arena.record_type.__name__


def check_accounts(world: World) -> None:
    """Lists and counts of an account hold exactly its positions, orders, triggers and keys."""
    seen: Counter[str] = Counter()
    for account in in_use(world.accounts):
        record = world.accounts[account]
        orders = dict(
            listed(world.orders, record.orders_head, record.orders_tail,
                   "next_in_account", "previous_in_account")
        )  # fmt: skip
        positions = dict(
            listed(world.positions, record.positions_head, record.positions_tail,
                   "next_in_account", "previous_in_account")
        )  # fmt: skip
        triggers = dict(
            listed(world.triggers, record.triggers_head, record.triggers_tail,
                   "next_in_account", "previous_in_account")
        )  # fmt: skip
        for held in (*orders.values(), *positions.values(), *triggers.values()):
            assert held.account == account
        assert record.orders_resident == len(orders) <= ORDERS_PER_ACCOUNT_MAX
        if not world.is_deadline_passed(account):
            assert record.orders_live == sum(is_counted(world, o) for o in orders.values())
        counted = sum(margined(world, position.instrument) for position in positions.values())
        assert record.positions_count == counted <= INSTRUMENTS_PER_ACCOUNT_MAX
        assert record.triggers_count == len(triggers) <= TRIGGERS_PER_ACCOUNT_MAX
        found = {find_position(world, account, held.instrument) for held in positions.values()}
        assert found == set(positions)
        indexed = trie.values(world.nodes, record.positions_root, trie.INSTRUMENT_DEPTH)
        assert set(indexed) == set(positions)
        check_keys(world, account)
        for slot in filter(None, record.protections):
            assert world.protections[slot].account == account
        seen += Counter(
            orders=len(orders), positions=len(positions), triggers=len(triggers),
            signers=sum(slot != 0 for slot in record.signers),
            protections=sum(slot != 0 for slot in record.protections),
        )  # fmt: skip
    for name in ("orders", "positions", "triggers", "signers", "protections"):
        assert seen[name] == getattr(world, name).live, f"{name} belong to accounts"


def check_keys(world: World, account: int) -> None:
    slots = [slot for slot in world.accounts[account].signers if slot]
    assert world.accounts[account].signers[0]
    assert len(slots) <= SESSIONS_PER_ACCOUNT
    addresses = [world.signers[slot].address for slot in slots]
    assert len(set(addresses)) == len(addresses), "a key has one slot"
    for slot in slots:
        signer = world.signers[slot]
        assert signer.account == account
        if signer.notional_cap_atoms:
            assert signer.notional_used_atoms <= signer.notional_cap_atoms


def check_positions(world: World) -> None:
    """A position counts the orders that are its, and is there for a reason."""
    orders = [world.orders[slot] for slot in in_use(world.orders)]
    open_lots: Counter[tuple[int, Side]] = Counter()
    combo_lots: Counter[tuple[int, Side]] = Counter()
    reserves: Counter[int] = Counter()
    resident: Counter[int] = Counter()
    for order in orders:
        legs = [
            (find_position(world, order.account, leg), ratio)
            for leg, ratio in legs_of(world.instruments[order.instrument])
        ]
        resident.update([order.position, *(slot for slot, _ in legs)])
        if not is_counted(world, order):
            continue
        open_lots[order.position, Side(order.side)] += order.lots_remaining
        reserves[order.position] += order.lots_remaining * order.reserve_per_lot_atoms
        for slot, ratio in legs:
            side = Side(order.side) if ratio > 0 else ladder.opposite(Side(order.side))
            combo_lots[slot, side] += abs(ratio) * order.lots_remaining
    interest: Counter[int] = Counter()
    for slot in in_use(world.positions):
        position = world.positions[slot]
        interest[position.instrument] += max(0, position.lots)
        assert position.orders_resident == resident[slot]
        is_kept = is_settled(world.instruments[position.instrument])  # till a SettleAccount
        assert position.lots or position.entry_atoms or position.orders_resident or is_kept
        assert max(reach(world, slot, side) for side in Side) <= POSITION_LOTS_MAX
        if position.order_epoch == world.live_epoch(position.account):
            counted = position.open_buy_lots, position.open_sell_lots
            assert counted == (open_lots[slot, Side.BUY], open_lots[slot, Side.SELL])
            counted = position.combo_buy_lots, position.combo_sell_lots
            assert counted == (combo_lots[slot, Side.BUY], combo_lots[slot, Side.SELL])
            assert position.order_reserve_atoms == reserves[slot]
        else:
            assert not open_lots[slot, Side.BUY] and not open_lots[slot, Side.SELL]
            assert not combo_lots[slot, Side.BUY] and not combo_lots[slot, Side.SELL]
        check_quotes(world, slot)
    for slot in in_use(world.instruments):
        assert world.instruments[slot].open_interest_lots == interest[slot]
    sums: Counter[int] = Counter()
    for slot in in_use(world.positions):
        instrument = world.positions[slot].instrument
        if not is_settled(world.instruments[instrument]):  # there each side ends on its own
            sums[instrument] += world.positions[slot].lots
    assert not any(sums.values()), "for each lot bought one is sold"


def check_quotes(world: World, slot: int) -> None:
    """A position's quotes are orders of its, and no other order of its is a quote."""
    position = world.positions[slot]
    named = {side: book.quote_of(position, side) for side in Side}
    for side, order_slot in named.items():
        if order_slot:
            order = world.orders[order_slot]
            assert (order.position, order.side) == (slot, side) and book.is_quote(order)
    quotes = {
        order_slot
        for order_slot in in_use(world.orders)
        if world.orders[order_slot].position == slot and book.is_quote(world.orders[order_slot])
    }
    assert quotes == set(filter(None, named.values()))


def check_books(world: World) -> None:
    """Levels hold the orders of their price, tries the levels; no book is crossed by chance."""
    levels = orders = 0
    for slot in in_use(world.instruments):
        instrument = world.instruments[slot]
        for side, root in ((Side.BUY, instrument.bids_root), (Side.SELL, instrument.asks_root)):
            for level_slot in trie.values(world.nodes, root, trie.PRICE_DEPTH):
                level = world.levels[level_slot]
                queue = dict(
                    listed(world.orders, level.head, level.tail,
                           "next_in_level", "previous_in_level")
                )  # fmt: skip
                assert level.orders == len(queue) > 0
                assert level.lots == sum(order.lots_remaining for order in queue.values())
                for order in queue.values():
                    place = order.instrument, order.side, order.price_ticks, order.level
                    assert place == (slot, side, level.price_ticks, level_slot)
                    assert order.lots_remaining > 0
                    held = world.positions[order.position]
                    assert (held.account, held.instrument) == (order.account, slot)
                levels += 1
                orders += len(queue)
        check_crossing(world, slot)
    assert (levels, orders) == (world.levels.live, world.orders.live)


def check_crossing(world: World, slot: int) -> None:
    """A crossed book waits for an auction, or for a state in which it trades again."""
    instrument = world.instruments[slot]
    if instrument.auction_phase == AuctionPhase.NONE:
        assert not (instrument.auction_bid or instrument.auction_ask or instrument.auction_ticks)
        is_waiting = gathers(instrument) or not ladder.is_crossed(world, instrument)
        assert is_waiting or instrument.state != 1, "an open book is not left crossed"


def check_holders(world: World) -> None:
    """An instrument lists the positions in it, each once."""
    positions = 0
    for slot in in_use(world.instruments):
        instrument = world.instruments[slot]
        holders = dict(
            listed(world.positions, instrument.holders_head, instrument.holders_tail,
                   "next_in_instrument", "previous_in_instrument")
        )  # fmt: skip
        assert all(held.instrument == slot for held in holders.values())
        assert instrument.holders_count == len(holders)
        positions += len(holders)
    assert positions == world.positions.live


def check_expiries(world: World) -> None:
    """Expiries list and index their instruments, underlyings their expiries, ascending.

    A settled expiry is no longer its underlying's, and its instruments are over.
    """
    instruments = 0
    for slot in in_use(world.expiries):
        expiry = world.expiries[slot]
        members = dict(
            listed(world.instruments, expiry.instruments_head, expiry.instruments_tail,
                   "next_in_expiry", "previous_in_expiry")
        )  # fmt: skip
        assert expiry.instruments_count == len(members) > 0
        for member in members.values():
            assert (member.expiry, member.expiry_ns) == (slot, expiry.expiry_ns)
        indexed = trie.values(world.nodes, expiry.instruments_root, trie.STRIKE_DEPTH)
        assert set(indexed) == set(members)
        instruments += len(members)
    named = set[int]()
    for slot in in_use(world.underlyings):
        underlying = world.underlyings[slot]
        dated = underlying.expiries[: underlying.expiries_count]
        assert not any(underlying.expiries[underlying.expiries_count :])
        dates = [world.expiries[expiry].expiry_ns for expiry in dated]
        assert dates == sorted(set(dates))
        named |= {*dated, underlying.perpetual_expiry}
    settled = {slot for slot in in_use(world.expiries) if world.expiries[slot].settled_ns}
    assert named - {0} == in_use(world.expiries) - settled
    for slot in in_use(world.instruments):
        instrument = world.instruments[slot]
        assert not instrument.settled_ns or instrument.expiry in settled
    assert instruments + world.header.combos_count == world.instruments.live


def check_combos(world: World) -> None:
    """Legs count the combos that name them, and the first of them finds each."""
    counted: Counter[int] = Counter()
    for slot in in_use(world.instruments):
        instrument = world.instruments[slot]
        counted.update(leg for leg, _ in legs_of(instrument))
        if legs := legs_of(instrument):
            root, keys = world.instruments[legs[0][0]].combos_root, combos.keys_of(legs)
            assert combos.find(world, root, keys) == slot
    for slot in in_use(world.instruments):
        assert world.instruments[slot].combos_count == counted[slot]
        assert world.instruments[slot].active_ns <= world.header.window_ns
    assert in_use(world.instruments) == in_use(world.risk_arrays), "numbered alike"
    assert world.instruments.free_head == world.risk_arrays.free_head


def check_money(world: World) -> None:
    """What accounts have of each token is in custody of it; debts are the cash below zero."""
    accounts = [world.accounts[slot] for slot in in_use(world.accounts)]
    positions = [world.positions[slot] for slot in in_use(world.positions)]
    held = sum(account.cash_atoms for account in accounts)
    held += sum(p.entry_atoms - pending_atoms(world, p) for p in positions)
    held += sum(
        p.lots * world.risk_arrays[p.instrument].mark_atoms
        for p in positions
        if p.lots and is_settled(world.instruments[p.instrument])
    )
    assert held == world.header.custody_atoms
    for slot in in_use(world.tokens):
        balances = sum(account.balances_atoms[slot - 1] for account in accounts)
        assert balances == world.tokens[slot].custody_atoms
    assert world.header.debt_atoms == sum(debt_of(account.cash_atoms) for account in accounts)
    now = interest_index(world) >> INDEX_UNIT_BITS
    for account in accounts:
        assert 0 <= account.interest_index <= now
        assert account.cash_atoms < 0 or account.interest_index == 0


CHECKS: tuple[Callable[[World], None], ...] = (
    check_arenas,
    check_accounts,
    check_positions,
    check_books,
    check_holders,
    check_expiries,
    check_combos,
    check_money,
)


@pytest.mark.parametrize("seed", [1, 2])
def test_sums_and_links_are_what_the_records_say(seed: int) -> None:
    workload = Workload(seed, hostile_share=0.02)
    state = State(workload.genesis, CHAIN_ID, CONTRACT)
    while state.seq < ENTRIES:
        entry = workload.next_entry()
        workload.observe(entry, state.apply([entry])[0])
        if state.seq % EVERY == 0:
            for check in CHECKS:
                check(state.world)
    assert state.world.orders.live > 0, "something rests at the end"
