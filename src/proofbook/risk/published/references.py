"""Sixteen portfolios on which margin systems are compared: an underlying at 2,000, flat 60 %."""

from proofbook.risk.published.portfolio import Option, Portfolio

SPOT = 2_000.0
VOLATILITY = 0.6


def call(amount: float, strike: float, days: float = 30) -> Option:
    return Option(True, strike, days, amount)


def put(amount: float, strike: float, days: float = 30) -> Option:
    return Option(False, strike, days, amount)


REFERENCES: dict[str, Portfolio] = {
    "−1 C2000 30 d": Portfolio((call(-1, 2000),)),
    "−1 P2000 30 d": Portfolio((put(-1, 2000),)),
    "+1 C2000 30 d": Portfolio((call(1, 2000),)),
    "−1 P1800 −1 C2200 30 d": Portfolio((put(-1, 1800), call(-1, 2200))),
    "−1 straddle 2000 7 d": Portfolio((call(-1, 2000, 7), put(-1, 2000, 7))),
    "−1 straddle 2000 180 d": Portfolio((call(-1, 2000, 180), put(-1, 2000, 180))),
    "−C2000 +C2200 30 d": Portfolio((call(-1, 2000), call(1, 2200))),
    "−P2000 +P1800 30 d": Portfolio((put(-1, 2000), put(1, 1800))),
    "condor 1600/1800/2200/2400 30 d": Portfolio(
        (put(1, 1600), put(-1, 1800), call(-1, 2200), call(1, 2400))
    ),
    "+C2000 180 d −C2000 30 d": Portfolio((call(1, 2000, 180), call(-1, 2000))),
    "1 coin −1 C2200 30 d": Portfolio((call(-1, 2200),), coins=1),
    "−1 C2000 30 d +0.53 perpetual": Portfolio((call(-1, 2000),), perpetuals=0.53),
    "+1 perpetual": Portfolio(perpetuals=1),
    "1 coin −1 perpetual": Portfolio(perpetuals=-1, coins=1),
    "−10 C6000 30 d": Portfolio((call(-10, 6000),)),
    "+C −P 2000 30 d −1 perpetual": Portfolio((call(1, 2000), put(-1, 2000)), perpetuals=-1),
}
"""Each a position that people hold: naked, spread, calendar, hedged, far out, conversion."""
