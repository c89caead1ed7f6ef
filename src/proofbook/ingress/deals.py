"""Params of several legs become commands: quotes on request, combos."""

from collections.abc import Sequence
from itertools import pairwise

from proofbook.api.actions import AcceptQuoteParams, CreateComboParams, DealLeg
from proofbook.api.convert import from_hex
from proofbook.api.errors import Refusal, Refused
from proofbook.ingress.decimals import lots_of, signed_head, ticks_of, u64
from proofbook.protocol.commands import AcceptQuote, ComboLeg, CreateCombo, Leg, RfqQuote
from proofbook.queries.models import ReadModels


def accept_quote_command(params: AcceptQuoteParams, models: ReadModels) -> AcceptQuote:
    """Return the acceptance that the params describe. Raises Refused."""
    offer = params.quote
    legs = sorted((leg_of(leg, models) for leg in offer.legs), key=lambda leg: leg.instrument)
    require_different([leg.instrument for leg in legs], models)
    quote = RfqQuote(
        offer.account,
        u64(offer.nonce, "quote.nonce"),
        u64(offer.expires_ns, "quote.expires_ns"),
        offer.taker,
        offer.max_fee_ppm,
        tuple(legs),
    )
    return AcceptQuote(
        *signed_head(params), params.max_fee_ppm, offer.session, from_hex(offer.signature), quote
    )


def leg_of(leg: DealLeg, models: ReadModels) -> Leg:
    """Return a leg as the protocol counts it. Raises Refused."""
    instrument = models.instruments.named(leg.instrument)
    lots = lots_of(leg.amount, instrument)
    taker_lots = lots if leg.side == "buy" else -lots
    return Leg(instrument.number, taker_lots, ticks_of(leg.price, instrument))


def create_combo_command(params: CreateComboParams, models: ReadModels) -> CreateCombo:
    """Return the combo that the params describe. Raises Refused."""
    named = [(models.instruments.named(leg.instrument).number, leg.ratio) for leg in params.legs]
    legs = [ComboLeg(number, ratio) for number, ratio in sorted(named)]
    require_different([leg.instrument for leg in legs], models)
    return CreateCombo(*signed_head(params), tuple(legs))


def require_different(numbers: Sequence[int], models: ReadModels) -> None:
    """Refuse legs, given in ascending order, that name an instrument twice. Raises Refused."""
    for before, after in pairwise(numbers):
        if before == after:
            name = models.instruments.numbered(after).name
            raise Refused(Refusal.INVALID_PARAMS, f"legs have {name} twice", name)
