"""Answers to questions: read models and records, as the interface shows them."""

from collections.abc import Iterator
from typing import Any

from proofbook.api.convert import action_names
from proofbook.api.display import amount_text, float_text, mark_text, usdc_text
from proofbook.api.errors import Refused
from proofbook.api.market import SummaryReply
from proofbook.api.schema import (
    AccountReply,
    BookReply,
    GreeksReply,
    OrderReply,
    PositionReply,
    ProtectionReply,
    SessionReply,
    TickerReply,
    WaitingOrderReply,
)
from proofbook.protocol.engine import Engine
from proofbook.protocol.identifiers import instrument_slot, order_id
from proofbook.protocol.limits import (
    ArenaId,
    InstrumentKind,
    InstrumentMode,
    InstrumentState,
    Reject,
    Side,
    TriggerCondition,
)
from proofbook.protocol.records import (
    AccountRecord,
    ExpiryRecord,
    InstrumentRecord,
    PositionRecord,
    ProtectionRecord,
    RiskArrayRecord,
    SignerRecord,
    TriggerRecord,
    UnderlyingRecord,
)
from proofbook.protocol.replay import RestingOrder
from proofbook.queries.books import Level
from proofbook.queries.greeks import Greeks, greeks
from proofbook.queries.instruments import Instrument
from proofbook.queries.models import ReadModels, level_texts, side_name
from proofbook.queries.tokens import balance_replies, collateral_atoms

NOBODY = bytes(20)
ATOMS_PER_USD = 1e6
NANOS_PER_UNIT = 1e9


def book_view(models: ReadModels, instrument: Instrument, depth: int) -> BookReply:
    """Return the best levels of a book."""
    book = models.books.book(instrument.number)
    return BookReply(
        instrument=instrument.name,
        change_id=book.change_id,
        bids=level_texts(instrument, book.levels(Side.BUY, depth)),
        asks=level_texts(instrument, book.levels(Side.SELL, depth)),
    )


def ticker_view(models: ReadModels, instrument: Instrument) -> TickerReply:
    """Return mark, index, last price and best levels; null for what does not exist yet."""
    slot = instrument_slot(instrument.number)
    record = InstrumentRecord.unpack(models.engine.read(ArenaId.INSTRUMENTS, slot))
    underlying = UnderlyingRecord.unpack(
        models.engine.read(ArenaId.UNDERLYINGS, instrument.underlying)
    )
    mark_atoms = read_mark(models.engine, instrument)
    book = models.books.book(instrument.number)
    return TickerReply(
        instrument=instrument.name,
        state=InstrumentState(record.state).name,
        mode=InstrumentMode(record.mode).name,
        mark=None if mark_atoms is None else mark_text(mark_atoms, instrument.lot_nanos),
        index=usdc_text(underlying.index_atoms) if underlying.index_version else None,
        last=instrument.price(record.last_price_ticks) if record.last_price_ticks else None,
        best_bid=_best(instrument, book.best(Side.BUY)),
        best_ask=_best(instrument, book.best(Side.SELL)),
        open_interest=instrument.amount(record.open_interest_lots),
        **_expiry_members(models.engine, instrument, record.expiry),
    )


def _expiry_members(engine: Engine, instrument: Instrument, expiry: int) -> dict[str, Any]:
    """Return forward and Greeks of an instrument that has an expiry, or what that settled at."""
    record = ExpiryRecord.unpack(engine.read(ArenaId.EXPIRIES, expiry)) if expiry else None
    if record is not None and record.settled_ns:
        return {"settlement": usdc_text(record.settlement_atoms)}
    if record is None or not record.forward_version:
        return {}
    forward = usdc_text(record.forward_atoms)
    if instrument.kind not in (InstrumentKind.CALL, InstrumentKind.PUT):
        return {"forward": forward}
    slot = instrument_slot(instrument.number)
    array = RiskArrayRecord.unpack(engine.read(ArenaId.RISK_ARRAYS, slot))
    if not array.marked_ns:
        return {"forward": forward}
    implied = greeks(
        instrument.kind == InstrumentKind.CALL,
        record.forward_atoms / ATOMS_PER_USD,
        instrument.strike_atoms / ATOMS_PER_USD,
        array.mark_atoms / ATOMS_PER_USD / (instrument.lot_nanos / NANOS_PER_UNIT),
        instrument.expiry_ns - array.marked_ns,
    )
    return {"forward": forward, "greeks": None if implied is None else _greeks_reply(implied)}


def _greeks_reply(implied: Greeks) -> GreeksReply:
    texts = {name: float_text(value) for name, value in implied._asdict().items()}
    return GreeksReply(**texts)


def summary_view(models: ReadModels, symbol: str, expiry_ns: int | None) -> SummaryReply:
    """Return tickers of an underlying's instruments. Raises Refused for one that lists none."""
    listed = [
        instrument
        for instrument in models.instruments
        if instrument.symbol == symbol and expiry_ns in (None, instrument.expiry_ns)
    ]
    if not listed:
        message = f"nothing is listed of {symbol}" + (f" at {expiry_ns}" if expiry_ns else "")
        raise Refused(Reject.INSTRUMENT_NOT_FOUND, message, symbol)
    listed.sort(key=lambda row: (row.expiry_ns, row.strike_atoms, row.kind, row.number))
    tickers = [ticker_view(models, instrument) for instrument in listed]
    return SummaryReply(underlying=symbol, index=tickers[0].index, tickers=tickers)


def account_view(models: ReadModels, account: int) -> AccountReply:
    """Return cash, positions and live orders of an account. Raises Refused."""
    is_slot = 0 < account < 1 << AccountRecord.CAPACITY_LOG2
    record = (
        AccountRecord.unpack(models.engine.read(ArenaId.ACCOUNTS, account)) if is_slot else None
    )
    if record is None or record.owner == NOBODY:
        raise Refused(Reject.ACCOUNT_NOT_FOUND, f"account {account} does not exist", account)
    cash_atoms = _cash_atoms(models.engine, account, record)
    equity_atoms: int | None = cash_atoms + collateral_atoms(models.engine, record)
    positions: list[PositionReply] = []
    for position in positions_of(models.engine, record):
        mark_atoms = read_mark(models.engine, models.instruments.in_slot(position.instrument))
        funding_atoms = pending_funding(models.engine, position)
        positions.append(_position_reply(models, record, position, mark_atoms, funding_atoms))
        if mark_atoms is None or equity_atoms is None:
            equity_atoms = None if position.lots else equity_atoms
        else:
            equity_atoms += position.entry_atoms + position.lots * mark_atoms - funding_atoms
    return AccountReply(
        account=account,
        owner="0x" + record.owner.hex(),
        subaccount=record.subaccount,
        cash=usdc_text(cash_atoms),
        equity=None if equity_atoms is None else usdc_text(equity_atoms),
        balances=balance_replies(models.engine, record),
        positions=positions,
        open_orders=[_order_reply(models, order) for order in models.books.orders_of(account)],
        triggers=[
            _trigger_reply(models, trigger, identifier)
            for identifier, trigger in triggers_of(models, record)
        ],
        sessions=[
            _session_reply(models.engine, place, slot)
            for place, slot in enumerate(record.signers)
            if slot
        ],
        protections=[_protection_reply(models.engine, slot) for slot in record.protections if slot],
        dead_man_ns=str(record.dead_man_ns),
        fee_schedule=record.fee_schedule,
    )


def positions_of(engine: Engine, account: AccountRecord) -> Iterator[PositionRecord]:
    """Yield the position records of an account, in the order of their making."""
    slot = account.positions_head
    while slot:
        position = PositionRecord.unpack(engine.read(ArenaId.POSITIONS, slot))
        yield position
        slot = position.next_in_account


def triggers_of(models: ReadModels, account: AccountRecord) -> Iterator[tuple[int, TriggerRecord]]:
    """Yield number and record of each order that waits and can still be placed."""
    slot = account.triggers_head
    is_over = 0 < account.dead_man_ns < models.window_ns
    while slot and not is_over:
        trigger = TriggerRecord.unpack(models.engine.read(ArenaId.TRIGGERS, slot))
        is_current = trigger.order_epoch == account.order_epoch
        if is_current and trigger.expires_ns >= models.window_ns:
            yield order_id(slot, trigger.generation), trigger
        slot = trigger.next_in_account


def read_mark(engine: Engine, instrument: Instrument) -> int | None:
    """Return a mark in quote atoms per lot, a combo's of its legs; None before the first Remark."""
    mark_atoms = 0
    for leg, ratio in instrument.legs or ((instrument, 1),):
        slot = instrument_slot(leg.number)
        record = RiskArrayRecord.unpack(engine.read(ArenaId.RISK_ARRAYS, slot))
        if not record.marked_ns:
            return None
        mark_atoms += ratio * record.mark_atoms
    return mark_atoms


def _cash_atoms(engine: Engine, account: int, record: AccountRecord) -> int:
    """Return the cash of an account, less the interest that a debt owes."""
    return engine.margin(account).cash_atoms if record.cash_atoms < 0 else record.cash_atoms


def pending_funding(engine: Engine, position: PositionRecord) -> int:
    """Return the funding that a position owes and has not paid, in atoms; below 0 it is owed."""
    data = engine.read(ArenaId.INSTRUMENTS, position.instrument)
    return position.lots * (InstrumentRecord.unpack(data).funding_index - position.funding_index)


def _position_reply(
    models: ReadModels,
    owner: AccountRecord,
    position: PositionRecord,
    mark_atoms: int | None,
    funding_atoms: int,
) -> PositionReply:
    instrument = models.instruments.in_slot(position.instrument)
    # After a CancelAll or a deadline, what the position still counts as open is dead.
    is_over = 0 < owner.dead_man_ns < models.window_ns
    is_current = position.order_epoch == owner.order_epoch and not is_over
    return PositionReply(
        instrument=instrument.name,
        amount=instrument.amount(position.lots),
        entry=usdc_text(position.entry_atoms),
        funding=usdc_text(-funding_atoms),
        mark=None if mark_atoms is None else mark_text(mark_atoms, instrument.lot_nanos),
        value=None if mark_atoms is None else usdc_text(position.lots * mark_atoms),
        open_buy_amount=instrument.amount(position.open_buy_lots * is_current),
        open_sell_amount=instrument.amount(position.open_sell_lots * is_current),
    )


def _order_reply(models: ReadModels, order: RestingOrder) -> OrderReply:
    instrument = models.instruments.numbered(order.instrument)
    return OrderReply(
        order=str(order.order),
        instrument=instrument.name,
        side=side_name(order.side),
        price=instrument.price(order.price_ticks),
        amount=instrument.amount(order.lots),
        label=order.label.rstrip(b"\0").decode("ascii", "replace"),
    )


def _trigger_reply(
    models: ReadModels, trigger: TriggerRecord, identifier: int
) -> WaitingOrderReply:
    instrument = models.instruments.numbered(trigger.instrument)
    condition = trigger.condition
    return WaitingOrderReply(
        trigger=str(identifier),
        instrument=instrument.name,
        condition=TriggerCondition(condition).name.lower() if condition else None,
        trigger_price=instrument.price(trigger.trigger_ticks) if condition else None,
        release_ns=str(trigger.release_ns),
        expires_ns=str(trigger.expires_ns),
        side=side_name(trigger.side),
        price=instrument.price(trigger.price_ticks),
        amount=instrument.amount(trigger.lots),
        label=trigger.label.rstrip(b"\0").decode("ascii", "replace"),
    )


def _session_reply(engine: Engine, place: int, slot: int) -> SessionReply:
    record = SignerRecord.unpack(engine.read(ArenaId.SIGNERS, slot))
    return SessionReply(
        slot=place,
        key="0x" + record.address.hex(),
        actions=action_names(record.actions),
        markets=str(record.markets),
        notional_cap=usdc_text(record.notional_cap_atoms),
        notional_used=usdc_text(record.notional_used_atoms),
        expires_ns=str(record.expires_ns),
        nonce_highest=str(record.nonce_highest),
    )


def _protection_reply(engine: Engine, slot: int) -> ProtectionReply:
    record = ProtectionRecord.unpack(engine.read(ArenaId.PROTECTIONS, slot))
    return ProtectionReply(
        protection=record.number,
        limit=amount_text(record.limit_nanos, 1),
        used=amount_text(record.used_nanos, 1),
        interval_ns=str(record.interval_ns),
        frozen_ns=str(record.frozen_ns),
        frozen_until_ns=str(record.frozen_until_ns),
    )


def _best(instrument: Instrument, level: Level | None) -> tuple[str, str] | None:
    return None if level is None else level_texts(instrument, [level])[0]
