#!/usr/bin/env python3
"""Write vectors/ from the spec: bytes, hashes, trees, prices and whole transitions.

`--check` writes nothing and exits 1 when a file differs from what the spec says.
"""

import argparse
import json
import sys
from pathlib import Path
from random import Random
from typing import Any

from proofbook.protocol import commands as c
from proofbook.protocol import eip712
from proofbook.protocol.entry import Entry, command_bytes, entry_hash, parties
from proofbook.protocol.events import WithdrawalQueued, decode_events
from proofbook.protocol.hashing import keccak, merkle_proof, merkle_root
from proofbook.protocol.limits import (
    Action,
    ArenaId,
    InstrumentKind,
    InstrumentMode,
    InstrumentState,
    MarginMode,
    PostOnly,
    Side,
    TimeInForce,
    TriggerCondition,
)
from proofbook.protocol.records import GlobalRecord
from proofbook.simulator import liquidation_stories as liquidation
from proofbook.simulator.array_samples import array_rows
from proofbook.simulator.conversion_stories import SAMPLES as CONVERSION_SAMPLES
from proofbook.simulator.expiry_stories import expiry_story
from proofbook.simulator.funding_stories import funding_story
from proofbook.simulator.leg_stories import combos_story, releasing_story, two_parties_story
from proofbook.simulator.money_stories import STORIES as MONEY
from proofbook.simulator.scene import EXPIRY_NS, STRIKE_ATOMS, USDC, WIDEST_SCOPE, Scene, key_of
from proofbook.simulator.stories import GOVERNOR_SAMPLES, governance_story
from proofbook.simulator.workload import CHAIN_ID, CONTRACT, Workload, address_of
from proofbook.spec import State, accumulator, black76, fixed_point

ROOT = Path(__file__).resolve().parent.parent / "vectors"
WITHDRAWAL_ROOT_WORD = 4
BUY, SELL = Side.BUY, Side.SELL
GTC, IOC = TimeInForce.GOOD_TILL_CANCELLED, TimeInForce.IMMEDIATE_OR_CANCEL
MARK = 800_000


def hexed(data: bytes) -> str:
    return "0x" + data.hex()


# Encoding

SIGNATURE = bytes(range(64))


def signed_samples() -> list[c.Command]:
    """Commands that traders sign."""
    quotes = c.Quote(5, BUY, 799_990, 10), c.Quote(5, SELL, 800_010, 0)
    quote = c.RfqQuote(4, 21, 1 << 59, 3, 500, (c.Leg(5, -300, 800_000), c.Leg(6, 5, 63_000)))
    return [
        c.Place(3, 7, 1 << 60, 5, SELL, 800_000, 12, IOC, False, True, 500, b"label-01", group=9),
        c.Place(4, 8, 1 << 61, 1 << 16 | 6, BUY, 1, (1 << 40) - 1, post_only=True),
        c.Cancel(3, 9, 1 << 60, 1 << 32 | 77),
        c.CancelAll(3, 10, 1 << 60),
        c.Amend(3, 12, 1 << 60, 1 << 32 | 77, 800_001, 5),
        c.QuoteBatch(3, 13, 1 << 60, 1, PostOnly.SLIDE, 500, quotes),
        c.SetProtection(3, 14, 1 << 60, 1, 10**9, 5 * 10**9, 10**10),
        c.ResetProtection(3, 15, 1 << 60, 1),
        c.SetDeadMan(3, 16, 1 << 60, 1 << 59),
        c.SetMarginMode(3, 17, 1 << 60, MarginMode.STANDARD),
        c.PlaceTrigger(
            3,
            12,
            1 << 60,
            5,
            TriggerCondition.INDEX_AT_OR_BELOW,
            790_000,
            SELL,
            780_000,
            12,
            IOC,
            True,
            group=9,
            max_fee_ppm=500,
            label=b"label-02",
        ),
        c.CancelTrigger(3, 13, 1 << 60, 1 << 32 | 78),
        c.FireTrigger(1 << 32 | 78),
        c.Uncross(1 << 16 | 6),
        *liquidation.SAMPLES,
        *CONVERSION_SAMPLES,
        c.Withdraw(3, 11, 1 << 60, 0, b"\x22" * 20, 5_000_000),
        c.Transfer(3, 12, 1 << 60, 4, 0, 7_000_000),
        c.PositionTransfer(3, 13, 1 << 60, 4, 1 << 16 | 6, 99),
        c.GrantSession(3, 14, 1 << 60, 2, b"\x33" * 20, 5, 6, 10**12, 1 << 61),
        c.RevokeSession(3, 15, 1 << 60, 2),
        c.CreateCombo(3, 14, 1 << 60, (c.ComboLeg(5, 100), c.ComboLeg(6, -1))),
        c.AcceptQuote(3, 12, 1 << 60, 700, 1, SIGNATURE[::-1], quote),
        c.BlockTrade(3, 13, 1 << 60, 700, 4, 22, 0, SIGNATURE[::-1], quote.legs),
    ]


def other_samples() -> list[c.Command]:
    """Commands from the inbox, of publishers, and of anyone."""
    return [
        c.Deposit(3, b"\x11" * 20, 1, 0, 1_000_000),
        c.GrantRequest(3, b"\x11" * 20, 7, b"\x33" * 20, 5, (1 << 64) - 1, 0, 1 << 61),
        c.RevokeRequest(3, b"\x11" * 20, 7),
        *GOVERNOR_SAMPLES,
        c.SetFeeSchedule(1, 2, 10, 20, 30, 40, 50, 60),
        c.AssignFees(3, 1),
        c.IndexPrice(1, 1 << 60, (c.IndexObservation(1, 80_000_000_000, SIGNATURE),)),
        c.ForwardCurve(
            1, 1 << 60, (EXPIRY_NS,), (c.ForwardObservation(2, (81_000_000_000,), SIGNATURE),)
        ),
        c.VolSurface(
            1,
            1 << 60,
            (c.SurfaceSlice(EXPIRY_NS, 1 << 43, 1 << 44, -(1 << 46), -5, 1 << 45),),
            (c.SurfaceSignature(1, SIGNATURE), c.SurfaceSignature(3, SIGNATURE)),
        ),
        c.Tick(3),
        c.Tick(3, 1 << 32 | 77),
        c.Remark(2, 17),
        c.ReleaseInstrument(1 << 16 | 6),
        c.SettleExpiry(2),
        c.SettleAccount(3, 17),
        c.ListInstrument(1, InstrumentKind.PUT, EXPIRY_NS, STRIKE_ATOMS),
    ]


def encoding_vectors() -> dict[str, Any]:
    """Every command as an entry, with its hash and, where a trader signs, its digest."""
    samples = signed_samples() + other_samples()
    separator = eip712.domain_separator(CHAIN_ID, CONTRACT)
    return {
        "chain_id": CHAIN_ID,
        "contract": hexed(CONTRACT),
        "domain_separator": hexed(separator),
        "entries": [encoding_row(command, separator, SIGNATURE) for command in samples],
    }


def encoding_row(command: c.Command, separator: bytes, signature: bytes) -> dict[str, Any]:
    entry = Entry(1 << 60, (1 << 60) - 5, command)
    digests: list[bytes] = []
    if isinstance(command, c.TraderCommand):
        entry = Entry(1 << 60, (1 << 60) - 5, command, 2, signature)
        digests = [eip712.command_digest(separator, party.signed) for party in parties(entry)]
    elif isinstance(command, c.OracleCommand):
        digests = eip712.oracle_digests(separator, command)
    data = entry.encode()
    return {
        "command": type(command).__name__,
        "entry": hexed(data),
        "hash": hexed(entry_hash(data)),
        "digests": [hexed(digest) for digest in digests],
    }


# Mathematics


def pricing_vectors() -> dict[str, Any]:
    """Logarithms, distribution and prices: extremes and a seeded spread."""
    random = Random(76)
    integers = [
        1,
        2,
        3,
        10**6,
        1 << 40,
        (1 << 62) - 1,
        *[random.getrandbits(random.randrange(1, 62)) + 1 for _ in range(40)],
    ]
    exponents = [0, 1, -1, 32 << 58, -(32 << 58)]
    exponents += [random.randrange(-(6 << 58), 6 << 58) for _ in range(40)]
    points = [
        0,
        1,
        -1,
        10 << 58,
        -(10 << 58),
        *[random.randrange(-(10 << 58), 10 << 58) for _ in range(60)],
    ]
    return {
        "log": [[number, fixed_point.log(number)] for number in integers],
        "exp": [[x, fixed_point.exp(x)] for x in exponents],
        "normal_cdf": [[x, fixed_point.normal_cdf(x)] for x in points],
        "call_and_put": [price_row(random) for _ in range(80)],
        "total_variance": [variance_row(random) for _ in range(40)],
    }


def price_row(random: Random) -> dict[str, Any]:
    """Forward and strike are in 1e-8 USD: from 0.0005 USD to 1,000,000."""
    forward = int(10 ** random.uniform(4.7, 14))
    strike = min(max(1, int(forward * random.lognormvariate(0, 1.5))), 1 << 46)
    deviation = random.choice((0, 1, 1 << 30, int(10 ** random.uniform(-3, 0.8) * (1 << 58))))
    logs = fixed_point.log(forward), fixed_point.log(strike)
    values = black76.call_and_put(forward, logs[0], strike, logs[1], deviation)
    return {"forward": forward, "strike": strike, "deviation": deviation, "call_and_put": values}


def variance_row(random: Random) -> dict[str, Any]:
    one = 1 << 48
    parameters = [
        int(random.uniform(0, 1) * one),
        int(random.uniform(0, 1) * one),
        int(random.uniform(-0.99, 0.99) * one),
        int(random.uniform(-8, 8) * one),
        int(random.uniform(1e-6, 8) * one),
    ]
    moneyness = int(random.uniform(-12, 12) * (1 << 58))
    variance = black76.total_variance(black76.Slice(*parameters), moneyness)
    return {"slice": parameters, "log_moneyness": moneyness, "total_variance": variance}


# Trees


def tree_vectors() -> dict[str, Any]:
    """Roots and proofs over lists of many lengths, and of the withdrawal tree as it grows."""
    lists = []
    for length in (1, 2, 3, 5, 8, 33):
        leaves = [keccak(bytes((length, place))) for place in range(length)]
        proofs = [[hexed(node) for node in merkle_proof(leaves, place)] for place in range(length)]
        lists.append(
            {
                "leaves": [hexed(leaf) for leaf in leaves],
                "root": hexed(merkle_root(leaves)),
                "proofs": proofs,
            }
        )
    frontier, roots = [bytes(32)] * 32, [accumulator.EMPTY_ROOT]
    for index in range(20):
        leaf = accumulator.withdrawal_leaf(index, 0, bytes((index,)) * 20, 10**index)
        roots.append(accumulator.append(frontier, index, leaf))
    return {"lists": lists, "withdrawal_roots": [hexed(root) for root in roots]}


# Transitions


def transition(scene: Scene) -> dict[str, Any]:
    """Run a story again on a fresh spec, keeping the root after every entry."""
    spec = State(scene.genesis, CHAIN_ID, CONTRACT)
    return replay(spec, scene.genesis, scene.entries, root_every=1)


def replay(spec: State, genesis: bytes, entries: list[bytes], root_every: int) -> dict[str, Any]:
    rows = []
    for place, entry in enumerate(entries):
        result = spec.apply([entry])[0]
        row = {
            "entry": hexed(entry),
            "outcome": list(result.outcome.encode()),
            "name": result.outcome.name,
            "events": hexed(result.events),
        }
        if (place + 1) % root_every == 0 or place + 1 == len(entries):
            row["root"] = hexed(spec.root())
        rows.append(row)
    return {
        "genesis": hexed(genesis),
        "chain_id": CHAIN_ID,
        "contract": hexed(CONTRACT),
        "genesis_root": hexed(State(genesis, CHAIN_ID, CONTRACT).root()),
        "entries": rows,
    }


def open_scene() -> Scene:
    scene = Scene(State)
    for name in ("ann", "bob", "cid"):
        scene.deposit(name, 1_000_000 * USDC)
    return scene


def orders_story() -> Scene:
    """Price-time priority, partial fills, own orders in the way, reduce-only, cancels."""
    scene = open_scene()
    perpetual = scene.open_perpetual()
    scene.resting("bob", perpetual, SELL, MARK, 3)
    doomed = scene.resting("cid", perpetual, SELL, MARK - 1, 2)
    scene.place("ann", perpetual, BUY, MARK, 4)
    scene.place("ann", perpetual, BUY, MARK, 4, post_only=True)
    scene.place("ann", perpetual, BUY, MARK - 2, 4, post_only=True)
    scene.place("ann", perpetual, SELL, MARK - 2, 2, time_in_force=IOC)
    scene.place("ann", perpetual, SELL, MARK + 9, 50, reduce_only=True)
    scene.place("bob", perpetual, BUY, MARK + 9, 50, time_in_force=IOC)
    scene.cancel("cid", doomed)
    for place in range(36):
        scene.resting("cid", perpetual, BUY, MARK - 100 - place * 67, 1 + place)
    scene.cancel_all("cid")
    scene.place("ann", perpetual, SELL, 1, 1_000)
    return scene


def options_story() -> Scene:
    """Premium, order margin, a hedged book, expiry, and margin refusals."""
    scene = open_scene()
    call = scene.open_option()
    put = scene.list_instrument(InstrumentKind.PUT, EXPIRY_NS, STRIKE_ATOMS - 10_000_000_000)
    scene.submit(c.Remark(1))
    for instrument, ticks in ((call, 30_000), (put, 8_000)):
        scene.resting("bob", instrument, SELL, ticks, 500)
        scene.place("ann", instrument, BUY, ticks, 300)
        scene.place("cid", instrument, BUY, ticks, 10**9, time_in_force=IOC)
    scene.wait(10**9)
    scene.publish_forward(70_000_000_000)
    scene.submit(c.Remark(1))
    scene.place("bob", call, BUY, 10_000, 100, reduce_only=True)
    scene.place("ann", call, SELL, 9_000, 100)
    scene.wait(EXPIRY_NS)
    scene.place("ann", call, SELL, 9_000, 100)
    return scene


def futures_story() -> Scene:
    """A future beside an option without a surface: traded, marked again, expired."""
    scene = open_scene()
    scene.list_instrument(InstrumentKind.CALL, EXPIRY_NS, STRIKE_ATOMS)
    future = scene.list_instrument(InstrumentKind.FUTURE, EXPIRY_NS, 0)
    scene.submit(c.Remark(1))
    scene.publish_forward(81_000_000_000)
    scene.submit(c.Remark(1))
    scene.resting("bob", future, SELL, 810_000, 1_000)
    scene.place("ann", future, BUY, 810_000, 700)
    scene.wait(10**9)
    scene.publish_forward(90_000_000_000)
    scene.submit(c.Remark(1))
    scene.withdraw("ann", 990_000 * USDC)
    scene.wait(EXPIRY_NS)
    scene.place("ann", future, SELL, 900_000, 100)
    return scene


def triggers_story() -> Scene:
    """Stops that fire, that must wait, that are refused when they fire, and that are ended."""
    scene = open_scene()
    perpetual = scene.open_perpetual()
    below, above = TriggerCondition.MARK_AT_OR_BELOW, TriggerCondition.LAST_AT_OR_ABOVE
    scene.resting("bob", perpetual, BUY, MARK - 40_000, 10)
    stop = scene.waiting("ann", perpetual, below, MARK - 30_000, SELL, 1, 4)
    large = scene.waiting("cid", perpetual, below, MARK, SELL, 1, 10**9, time_in_force=GTC)
    entry = scene.waiting("cid", perpetual, above, MARK - 50_000, BUY, MARK, 2, time_in_force=GTC)
    for trigger in (stop, large, entry):
        scene.submit(c.FireTrigger(trigger))
    scene.wait(10**9)
    scene.publish_index(75_000_000_000)
    scene.remark_perpetual()
    for trigger in (stop, entry, 1 << 40):
        scene.submit(c.FireTrigger(trigger))
    ended = [scene.waiting("bob", perpetual, below, 1 + place, SELL, 1, 1) for place in range(34)]
    scene.cancel_trigger("ann", ended[0])
    scene.cancel_trigger("bob", ended[1])
    scene.cancel_all("bob")
    scene.submit(c.FireTrigger(ended[-1]))
    return scene


def auction_story() -> Scene:
    """Orders gather, the book opens over several commands, then a speed bump and a batch."""
    scene = open_scene()
    perpetual = scene.open_perpetual()
    scene.set_instrument(perpetual, InstrumentState.PRE_OPEN)
    for place in range(20):
        scene.resting("ann", perpetual, BUY, MARK + 3 * place - 10, 1 + place)
        last = scene.resting("bob", perpetual, SELL, MARK + 15 - 2 * place, 2 + place)
    scene.resting("ann", perpetual, SELL, MARK - 30, 3)
    scene.set_instrument(perpetual)
    scene.uncross(perpetual)
    scene.cancel("bob", last)
    scene.place("cid", perpetual, BUY, MARK, 1)
    for _ in range(4):
        scene.uncross(perpetual)
    scene.set_instrument(perpetual, mode=InstrumentMode.SPEED_BUMP, speed_bump_ms=5)
    scene.resting("bob", perpetual, SELL, MARK + 60, 4)
    scene.place("cid", perpetual, BUY, MARK + 60, 3)
    for _ in range(6):
        scene.submit(c.FireTrigger(1))
    scene.set_instrument(perpetual, mode=InstrumentMode.BATCH_AUCTION, auction_interval_ms=4)
    scene.resting("bob", perpetual, SELL, MARK + 20, 4)
    scene.resting("cid", perpetual, BUY, MARK + 61, 3)
    for _ in range(4):
        scene.uncross(perpetual)
    scene.set_instrument(perpetual, InstrumentState.EXPIRED)
    scene.uncross(perpetual)
    return scene


def money_story() -> Scene:
    """Deposits that go back, withdrawals that pass and that do not, variation settlement."""
    scene = open_scene()
    perpetual = scene.open_perpetual()
    scene.submit(c.Deposit(99, b"\x31" * 20, 0, 0, 12))
    scene.submit(c.Deposit(scene.accounts["ann"], b"\x31" * 20, 0, 0, 13))
    scene.resting("bob", perpetual, SELL, MARK, 1_000)
    scene.place("ann", perpetual, BUY, MARK, 1_000)
    scene.wait(10**9)
    scene.publish_index(90_000_000_000)
    scene.remark_perpetual()
    scene.withdraw("ann", 100_000 * USDC)
    scene.withdraw("bob", 999_999 * USDC)
    scene.withdraw("cid", 0)
    scene.withdraw("cid", 1_000_000 * USDC)
    scene.withdraw("cid", 1)
    return scene


def sessions_story() -> Scene:
    """A key within its scope and beyond it, its end, and the same key again."""
    scene = open_scene()
    perpetual = scene.open_perpetual()
    ann, forever = scene.accounts["ann"], 1 << 63
    actions = 1 << Action.PLACE | 1 << Action.CANCEL
    scene.grant("ann", "phone", actions=actions, notional_cap_atoms=100_000_000)
    for nonce, lots in ((1, 5), (2, 6), (3, 10**9), (3, 1)):
        order = c.Place(ann, nonce, forever, perpetual, BUY, MARK, lots, max_fee_ppm=500)
        scene.submit(order, "phone", session=1)
    scene.submit(c.Withdraw(ann, 4, forever, 0, b"\x07" * 20, 1), "phone", session=1)
    scene.revoke("ann")
    scene.submit(c.CancelAll(ann, 5, forever), "phone", session=1)
    scene.grant("ann", "phone", session=3)
    scene.submit(c.CancelAll(ann, 4, forever), "phone", session=3)
    scene.submit(c.CancelAll(ann, 5, forever), "phone", session=3)
    owner = address_of(key_of("bob"))
    scene.submit(c.GrantRequest(scene.accounts["bob"], owner, 1, b"\x33" * 20, **WIDEST_SCOPE))
    scene.submit(c.GrantRequest(ann, owner, 1, b"\x33" * 20, **WIDEST_SCOPE))
    scene.submit(c.RevokeRequest(scene.accounts["bob"], owner, 1))
    return scene


def transfers_story() -> Scene:
    """Money and positions between accounts, and fees by schedule."""
    scene = open_scene()
    scene.deposit("ann two", 50_000 * USDC, owner="ann")
    perpetual, call = scene.open_perpetual(), scene.open_option()
    scene.submit(c.SetFeeSchedule(1, 1, 0, 100, 0, 100, 0, 200))
    scene.submit(c.AssignFees(scene.accounts["ann"], 1))
    for instrument, ticks in ((perpetual, MARK), (call, 30_000)):
        scene.resting("bob", instrument, SELL, ticks, 100)
        scene.place("ann", instrument, BUY, ticks, 60, max_fee_ppm=200)
    scene.transfer("ann", "cid", 1_000 * USDC)
    scene.transfer("ann", "cid", 10_000_000 * USDC)
    scene.position_transfer("ann", "ann two", perpetual, 20)
    scene.position_transfer("ann", "ann two", call, 60)
    scene.position_transfer("ann", "bob", perpetual, 20)
    scene.position_transfer("ann", "ann two", perpetual, 41)
    return scene


def void_story() -> Scene:
    """Entries that are void, and rejections before authorisation."""
    scene = open_scene()
    scene.submit_bytes(b"")
    scene.submit_bytes(b"\x00\x00")
    scene.submit_bytes(bytes(2_050))
    scene.submit_bytes(Entry(scene.window_ns - 1, scene.window_ns - 1, c.Tick(0)).encode())
    scene.submit(c.CancelAll(scene.accounts["ann"], 1, 10**19), "bob")
    scene.submit(c.CancelAll(77, 1, 10**19), "ann")
    scene.submit(c.CancelAll(scene.accounts["ann"], 1, 10**19), "ann", session=3)
    scene.submit(c.CancelAll(scene.accounts["ann"], 1, 5), "ann")
    for nonce in (300, 300, 45, 44, 0):
        scene.submit(c.CancelAll(scene.accounts["ann"], nonce, 10**19), "ann")
    return scene


def random_stream(seed: int, commands: int) -> dict[str, Any]:
    """A hostile stream of the workload, with a root after every 16 entries."""
    workload = Workload(seed)
    engine = State(workload.genesis, CHAIN_ID, CONTRACT)
    entries = []
    for _ in range(commands):
        entry = workload.next_entry()
        workload.observe(entry, engine.apply([entry])[0])
        entries.append(entry)
    return replay(
        State(workload.genesis, CHAIN_ID, CONTRACT), workload.genesis, entries, root_every=16
    )


# Settlement


def append_vectors() -> dict[str, Any]:
    """One append: entries, their tree, and the inbox requests among them."""
    scene = money_story()
    requests = [
        command_bytes(Entry.decode(entry).command) for entry in scene.entries if entry[18] < 0x10
    ]
    inbox_hash = bytes(32)
    for request in requests:
        inbox_hash = keccak(inbox_hash + keccak(request))
    return {
        "entries": hexed(b"".join(scene.entries)),
        "count": len(scene.entries),
        "data_root": hexed(merkle_root([entry_hash(entry) for entry in scene.entries])),
        "request_hashes": [hexed(keccak(request)) for request in requests],
        "inbox_hash": hexed(inbox_hash),
    }


def withdrawal_vectors(scene: Scene) -> dict[str, Any]:
    """Proofs from the last root of a story to its withdrawal root, and on to every withdrawal."""
    state = scene.engine
    assert isinstance(state, State)
    queued = [
        event
        for result in scene.results
        for event in decode_events(result.events)
        if isinstance(event, WithdrawalQueued)
    ]
    header = GlobalRecord.unpack(state.read(ArenaId.GLOBAL, 0))
    leaves = [
        accumulator.withdrawal_leaf(q.index, q.token, q.recipient, q.amount_atoms) for q in queued
    ]
    roots = state.arena_roots()
    root_proof = [
        *state.world.header_tree.proof(WITHDRAWAL_ROOT_WORD),
        *merkle_proof(roots, ArenaId.GLOBAL),
    ]
    return {
        "state_root": hexed(state.root()),
        "withdrawal_root": hexed(header.withdrawal_root),
        "root_proof": [hexed(node) for node in root_proof],
        "withdrawals": [
            {
                "index": q.index,
                "token": q.token,
                "recipient": hexed(q.recipient),
                "amount": q.amount_atoms,
                "leaf": hexed(leaf),
                "proof": [hexed(node) for node in accumulator.proof(leaves, q.index)],
            }
            for q, leaf in zip(queued, leaves, strict=True)
        ],
    }


def vectors() -> dict[str, Any]:
    """Return every file of vectors/ with its content."""
    return {
        "encoding/entries.json": encoding_vectors(),
        "pricing/mathematics.json": pricing_vectors(),
        "pricing/arrays.json": {"arrays": array_rows()},
        "tree/merkle.json": tree_vectors(),
        "transition/orders.json": transition(orders_story()),
        "transition/options.json": transition(options_story()),
        "transition/futures.json": transition(futures_story()),
        "transition/triggers.json": transition(triggers_story()),
        "transition/auction.json": transition(auction_story()),
        "transition/funding.json": transition(funding_story(open_scene())),
        "transition/expiries.json": transition(expiry_story(open_scene())),
        "transition/governance.json": transition(governance_story(open_scene())),
        "transition/money.json": transition(money_story()),
        **{f"transition/{name}.json": transition(told(State)) for name, told in MONEY.items()},
        "transition/sessions.json": transition(sessions_story()),
        "transition/transfers.json": transition(transfers_story()),
        "transition/two_parties.json": transition(two_parties_story(open_scene())),
        "transition/combos.json": transition(combos_story(open_scene())),
        "transition/releasing.json": transition(releasing_story(open_scene())),
        **{f"transition/{n}.json": transition(f(open_scene())) for n, f in liquidation.STORIES},
        "transition/void.json": transition(void_story()),
        "transition/random_1.json": random_stream(1, 400),
        "transition/random_2.json": random_stream(2, 400),
        "settlement/append.json": append_vectors(),
        "settlement/withdrawal.json": withdrawal_vectors(MONEY["tokens"](State)),
        "settlement/withdrawal_of_usdc.json": withdrawal_vectors(money_story()),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only tell which files differ")
    arguments = parser.parse_args()
    stale = 0
    for name, content in vectors().items():
        path, text = ROOT / name, json.dumps(content, indent=1) + "\n"
        if path.exists() and path.read_text() == text:
            continue
        stale += 1
        print(f"{'stale' if arguments.check else 'written'} {name}")
        if not arguments.check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    return 1 if arguments.check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
