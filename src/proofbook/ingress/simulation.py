"""What margin would be after trades and orders that nobody has signed."""

from collections import defaultdict

from proofbook.api.errors import Refusal, Refused
from proofbook.api.margin import MarginReply, OrderLeg, SimulateParams, SimulateReply, TradeLeg
from proofbook.api.schema import AccountParams
from proofbook.ingress.decimals import atoms_of, lots_of, ticks_of
from proofbook.ingress.venue import Venue
from proofbook.protocol.identifiers import instrument_slot
from proofbook.protocol.limits import FEE_ACCOUNT, FEE_PPM_MAX, FRACTION_ONE_PPM, Reject
from proofbook.protocol.margin_report import Change, ChangesAsked, MarginReport, QuestionInvalid
from proofbook.queries.instruments import Instrument
from proofbook.queries.margins import margin_reply
from proofbook.queries.views import read_mark

NOBODY = FEE_ACCOUNT
"""Stands for an account with nothing: what fees go to never trades."""


class Question:
    """Changes to an account's exposure by the slot of their instruments.

    `gained_atoms` is what trades bring beside their marks.
    """

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._changes: defaultdict[int, Change] = defaultdict(lambda: Change(0))
        self.gained_atoms = 0

    @property
    def changes(self) -> ChangesAsked:
        return dict(self._changes)

    def trade(self, leg: TradeLeg) -> None:
        """Add a trade; one in a combo is one in each leg of it. Raises Refused."""
        instrument, mark_atoms = self._marked(leg.instrument)
        lots = _lots(leg.amount, instrument) * (1 if leg.side == "buy" else -1)
        if leg.price is not None:
            value_atoms = _value_per_lot(instrument, ticks_of(leg.price, instrument))
            self.gained_atoms += lots * (mark_atoms - value_atoms)
        for part, ratio in instrument.legs or ((instrument, 1),):
            self._add(part, Change(lots * ratio))

    def order(self, leg: OrderLeg) -> None:
        """Add an order, and what it would reserve. Raises Refused."""
        instrument, mark_atoms = self._marked(leg.instrument)
        lots, is_buy = _lots(leg.amount, instrument), leg.side == "buy"
        value_atoms = _value_per_lot(instrument, ticks_of(leg.price, instrument))
        adverse_atoms = (value_atoms - mark_atoms) * (1 if is_buy else -1)
        fee_ppm = instrument.taker_fee_ppm if leg.max_fee_ppm is None else leg.max_fee_ppm
        fee_atoms = -(-abs(value_atoms) * min(fee_ppm, FEE_PPM_MAX) // FRACTION_ONE_PPM)
        reserve_atoms = lots * (max(0, adverse_atoms) + fee_atoms)
        self._add(instrument, Change(0, lots * is_buy, lots * (not is_buy), reserve_atoms))

    def _add(self, instrument: Instrument, change: Change) -> None:
        slot = instrument_slot(instrument.number)
        self._changes[slot] = Change(
            *(a + b for a, b in zip(self._changes[slot], change, strict=True))
        )

    def _marked(self, name: str) -> tuple[Instrument, int]:
        instrument = self._venue.models.instruments.named(name)
        mark_atoms = read_mark(self._venue.models.engine, instrument)
        if mark_atoms is None:
            raise Refused(Reject.MARK_MISSING, f"{name} has no mark yet", name)
        return instrument, mark_atoms


def simulate(venue: Venue, params: SimulateParams) -> SimulateReply:
    """Return margin before and after trades and orders; nothing is sent. Raises Refused."""
    question = Question(venue)
    for trade in params.trades:
        question.trade(trade)
    for order in params.orders:
        question.order(order)
    before = _ask(venue, params.account or NOBODY, {})
    after = _ask(venue, params.account or NOBODY, question.changes)
    added_atoms = atoms_of(params.cash, "cash")
    if not params.account:
        added_atoms -= before.equity_atoms
    engine = venue.models.engine
    return SimulateReply(
        before=margin_reply(engine, before, 0 if params.account else added_atoms),
        after=margin_reply(engine, after, added_atoms + question.gained_atoms),
    )


def get_margin(venue: Venue, params: AccountParams) -> MarginReply:
    """Return what an account owns and needs, term by term. Raises Refused."""
    return margin_reply(venue.models.engine, _ask(venue, params.account, {}))


def _ask(venue: Venue, account: int, changes: ChangesAsked) -> MarginReport:
    """Raises Refused: no such account, or more than an account may hold."""
    engine = venue.models.engine
    try:
        return engine.margin(account, changes)
    except QuestionInvalid:
        if changes:
            message = "that is more than an account may hold"
            raise Refused(Refusal.INVALID_PARAMS, message) from None
        message = f"account {account} does not exist"
        raise Refused(Reject.ACCOUNT_NOT_FOUND, message, account) from None


def _lots(amount: str, instrument: Instrument) -> int:
    lots = lots_of(amount, instrument)
    if not lots:
        message = f"amount of {instrument.name} was 0, must be above"
        raise Refused(Reject.LOTS_OUT_OF_RANGE, message, amount)
    return lots


def _value_per_lot(instrument: Instrument, ticks: int) -> int:
    """Return what a lot costs at a price, in atoms; a combo may cost less than nothing."""
    return (ticks - instrument.price_offset_ticks) * instrument.tick_value_atoms
