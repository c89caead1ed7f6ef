"""The standard margin of the same venue: a charge a position, spreads up to their largest loss."""

from collections.abc import Sequence

from proofbook.risk.published.portfolio import Margins, Option, Portfolio

SHORT_INITIAL, SHORT_INITIAL_MIN, SHORT_MAINTENANCE = 0.15, 0.13, 0.09
PUT_VALUE_MAINTENANCE, PUT_FACTOR = 0.09, 1.05
UNPAIRED_INITIAL, UNPAIRED_MAINTENANCE = 1.2, 1.1
PERPETUAL_INITIAL, PERPETUAL_MAINTENANCE = 0.10, 0.065
COIN_WORTH, COIN_INITIAL_SCALE = 0.8, 0.9375


def margins(portfolio: Portfolio, spot: float, volatility: float) -> Margins:
    """Return initial and maintenance margin at a flat volatility, forward at spot."""
    perpetuals = abs(portfolio.perpetuals) * spot
    maintenance = portfolio.coins * spot * COIN_WORTH - perpetuals * PERPETUAL_MAINTENANCE
    initial = (
        portfolio.coins * spot * COIN_WORTH * COIN_INITIAL_SCALE - perpetuals * PERPETUAL_INITIAL
    )
    for options in portfolio.by_expiry().values():
        expiry_initial, expiry_maintenance = _expiry(options, spot, volatility)
        initial += expiry_initial
        maintenance += expiry_maintenance
    return Margins(initial, maintenance, "")


def _expiry(options: Sequence[Option], spot: float, volatility: float) -> tuple[float, float]:
    """Return the margins of one expiry: each short alone, or the largest loss if that is less."""
    isolated = [_isolated(option, spot, volatility) for option in options]
    worst = min(
        0.0,
        *(sum(o.payoff(price) for o in options) for price in {0.0, *(o.strike for o in options)}),
    )
    unpaired = min(0.0, sum(option.amount for option in options if option.is_call)) * spot
    return (
        max(sum(initial for initial, _ in isolated), worst + UNPAIRED_INITIAL * unpaired),
        max(sum(least for _, least in isolated), worst + UNPAIRED_MAINTENANCE * unpaired),
    )


def _isolated(option: Option, spot: float, volatility: float) -> tuple[float, float]:
    """Return initial and maintenance margin of one position by itself."""
    if option.amount >= 0:
        return 0.0, 0.0
    value = option.value(spot, volatility)
    out_of_the_money = max(0.0, (option.strike - spot) / spot * (1 if option.is_call else -1))
    initial = max(SHORT_INITIAL - out_of_the_money, SHORT_INITIAL_MIN) * spot * option.amount
    maintenance = SHORT_MAINTENANCE * spot * option.amount
    if option.is_call:
        return initial + value, maintenance + value
    maintenance = min(maintenance, PUT_VALUE_MAINTENANCE * value) + value
    return min(initial + value, maintenance * PUT_FACTOR), maintenance
