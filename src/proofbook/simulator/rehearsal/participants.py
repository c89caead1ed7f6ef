"""Who takes part in a rehearsal: makers, leveraged and hedged traders, a whale, passing takers."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import ceil, floor
from random import Random

from proofbook.protocol.commands import (
    CancelAll,
    Command,
    Leg,
    Place,
    Quote,
    QuoteBatch,
    TraderCommand,
    Transfer,
    Withdraw,
)
from proofbook.protocol.limits import (
    FUND_ACCOUNT,
    QUOTES_PER_BATCH_MAX,
    InstrumentKind,
    PostOnly,
    Side,
    TimeInForce,
)
from proofbook.simulator.floor import Book
from proofbook.simulator.many_accounts import ELSEWHERE, QUOTE_TOKEN, block, price_ticks
from proofbook.simulator.rehearsal.stage import USD, Fair, Stage

EQUITY_USD = 20_000
MAKERS = 4
BIDDERS = 3
MAKER_SHARE, BIDDER_SHARE = 1.0, 0.3
"""Of all traders' equity, what each maker and each bidder has."""
HALVINGS_MAX = 8
MAX_FEE_PPM = 1_000

LINEAR = (InstrumentKind.PERPETUAL, InstrumentKind.FUTURE)
DEPTH, THIN_DEPTH = 0.02, 0.002
"""Of his equity, what a maker offers on each side of a book."""
HALF_SPREAD, OPTION_HALF_SPREAD, THIN_FOLD = 0.000_4, 0.03, 10.0
LEAN = 0.001
"""How much lower a maker quotes who has bought all that he may, as a share of the price."""
INVENTORY = 0.7
"""Of his equity, what a maker holds at most, net."""
LEAVERS_SHARE = 0.01
"""How many of a hundred traders withdraw in a step, when everything is lost."""
TAKERS_SHARE, TAKER_USE, TAKER_REACH = 0.01, 0.05, 0.02
SCARED_MOST, PANIC = 0.8, 16.0
"""How many of the takers a fall scares: so much at most, and for each part of the price lost."""

MARGIN_SHARE = 0.19
"""About what initial margin is of the notional of one position."""

Sizes = dict[Book, int]
Role = Callable[["Crowd", Random, float], Sizes]


@dataclass(frozen=True, slots=True)
class Trader:
    """An account, and what kind of positions it took."""

    account: int
    role: str
    equity_usd: float


class Crowd:
    """Everybody but the services. Positions are taken before the path begins, at marks."""

    def __init__(self, stage: Stage, traders: int, seed: int) -> None:
        self.stage = stage
        self.random = Random(seed)
        equities = [EQUITY_USD * self.random.lognormvariate(0, 1) for _ in range(traders)]
        total = sum(equities)
        makers = [max(total * MAKER_SHARE, EQUITY_USD)] * MAKERS
        bidders = [max(total * BIDDER_SHARE, EQUITY_USD)] * BIDDERS
        scenario = stage.scenario
        whale, fund = total * scenario.whale_share, total * scenario.fund_share
        amounts = [round(usd * USD) for usd in (*makers, *bidders, fund, whale, *equities)]
        accounts = stage.floor.open_accounts(amounts)
        services = MAKERS + BIDDERS
        self.makers, self.bidders = accounts[:MAKERS], accounts[MAKERS:services]
        sponsor, self.whale = accounts[services : services + 2]
        header = stage.floor.header(sponsor)
        stage.floor.require(Transfer(*header, FUND_ACCOUNT, 0, amounts[services]))
        self._accounts = accounts[services + 2 :]
        self._equities = dict(zip(accounts, amounts, strict=True))
        self.traders: list[Trader] = []

    def take_positions(self) -> None:
        """Let everybody take the positions of his role; the whale is as long as he may be."""
        names, weights = zip(*((name, weight) for name, (weight, _) in ROLES.items()), strict=True)
        for account in self._accounts:
            (name,) = self.random.choices(names, weights)
            self._take(account, name, ROLES[name][1])
        self._take(self.whale, "whale", _whale)

    def _take(self, account: int, name: str, role: Role) -> None:
        """Trade with a maker at marks, half as much as long as margin does not allow it."""
        equity_usd = self._equities[account] / USD
        self.traders.append(Trader(account, name, equity_usd))
        sizes = role(self, self.random, equity_usd)
        maker = self.random.choice(self.makers)
        stage_floor = self.stage.floor
        for _ in range(HALVINGS_MAX):
            legs = [
                Leg(book.identifier, lots, price_ticks(stage_floor, book))
                for book, lots in sorted(sizes.items(), key=lambda item: item[0].slot)
                if lots
            ]
            if not legs:
                return
            trade = block(stage_floor, account, maker, legs, MAX_FEE_PPM)
            if stage_floor.submit(trade).outcome.is_applied:
                return
            sizes = {book: int(lots / 2) for book, lots in sizes.items()}

    # What roles are made of

    def coins(self, equity_usd: float, use: float) -> float:
        """Return the notional, in coins, of which margin uses so much of the equity."""
        return equity_usd * use / MARGIN_SHARE / self.stage.fair().price_usd

    def option(self, kind: InstrumentKind, moneyness: float, is_late: bool) -> Book:
        """Return the option of a kind whose strike is nearest to so much of the price."""
        target = self.stage.fair().price_usd * moneyness * USD
        options = [book for book in self.stage.books if book.kind == kind]
        expiry_ns = (max if is_late else min)(book.expiry_ns for book in options)
        of_expiry = [book for book in options if book.expiry_ns == expiry_ns]
        return min(of_expiry, key=lambda book: abs(book.strike_atoms - target))

    # Along the path

    def quotes(self) -> list[TraderCommand]:
        """Return the makers' new quotes around what books are worth; when books are thin one maker
        is left, who quotes wide and small.
        """
        is_thin = self.stage.point().is_thin
        commands: list[TraderCommand] = []
        for place, maker in enumerate(self.makers):
            if is_thin and place > 0:
                commands.append(CancelAll(*self.stage.floor.header(maker)))
            else:
                commands += self._batches(maker, is_thin)
        return commands

    def _batches(self, maker: int, is_thin: bool) -> Iterator[TraderCommand]:
        stage, rows = self.stage, list[Quote]()
        desk = self._desk(maker, is_thin)
        for book in stage.live_books():
            bid, ask = desk.prices(stage, book)
            is_linear = book.kind in LINEAR
            bids = 0 if is_linear and desk.fullness >= 1 else desk.lots
            asks = 0 if is_linear and desk.fullness <= -1 else desk.lots
            rows.append(Quote(book.identifier, Side.BUY, bid, bids))
            rows.append(Quote(book.identifier, Side.SELL, ask, asks))
        rows.sort(key=lambda row: (row.instrument, row.side))
        for first in range(0, len(rows), QUOTES_PER_BATCH_MAX):
            part = tuple(rows[first : first + QUOTES_PER_BATCH_MAX])
            header = stage.floor.header(maker)
            yield QuoteBatch(*header, 0, PostOnly.SLIDE, MAX_FEE_PPM, part)

    def _desk(self, maker: int, is_thin: bool) -> "Desk":
        """Return how a maker quotes: wider when books are thin, lower the more it has bought."""
        fair, stage = self.stage.fair(), self.stage
        limit_coins = self._equities[maker] / USD * INVENTORY / fair.price_usd
        held = stage.floor.positions(maker)
        lots = sum(size for book, size in held.items() if book.kind in LINEAR)
        depth_usd = self._equities[maker] / USD * (THIN_DEPTH if is_thin else DEPTH)
        fold = (THIN_FOLD if is_thin else 1.0) * self.random.uniform(0.8, 1.2)
        size = max(1, stage.lots(depth_usd / fair.price_usd))
        return Desk(fair, fold, size, lots * stage.lot_coins / limit_coins)

    def takers(self, fall: float) -> list[Command]:
        """Return orders of a few traders: the further the price fell, the more of them sell.

        Whom the fall scares sells of what he holds, and nothing more; the others trade as ever.
        """
        count = ceil(len(self.traders) * TAKERS_SHARE)
        fair, stage = self.stage.fair(), self.stage
        orders: list[Command] = []
        for trader in self.random.sample(self.traders, min(count, len(self.traders))):
            is_scared = self.random.random() < min(SCARED_MOST, PANIC * fall)
            is_seller = is_scared or self.random.random() < 0.5
            if is_scared and stage.floor.positions(trader.account).get(stage.perpetual, 0) <= 0:
                continue
            side = Side.SELL if is_seller else Side.BUY
            reach = 1 - TAKER_REACH if is_seller else 1 + TAKER_REACH
            coins = self.coins(trader.equity_usd, TAKER_USE)
            header = stage.floor.header(trader.account)
            orders.append(
                Place(
                    *header, stage.perpetual.identifier, side,
                    stage.ticks(fair.price_usd * reach), max(1, stage.lots(coins)),
                    TimeInForce.IMMEDIATE_OR_CANCEL, reduce_only=is_scared,
                    max_fee_ppm=MAX_FEE_PPM,
                )
            )  # fmt: skip
        return orders

    def leavers(self, fall: float) -> list[Command]:
        """Return withdrawals of half of what margin leaves: more, the deeper the fall."""
        share = LEAVERS_SHARE * fall
        withdrawals: list[Command] = []
        for trader in self.traders:
            if self.random.random() >= share:
                continue
            report = self.stage.kernel.margin(trader.account)
            free_atoms = min(report.cash_atoms, report.equity_atoms - report.initial_atoms) // 2
            if free_atoms > 0:
                header = self.stage.floor.header(trader.account)
                withdrawals.append(Withdraw(*header, QUOTE_TOKEN, ELSEWHERE, free_atoms))
        return withdrawals


@dataclass(frozen=True, slots=True)
class Desk:
    """What a maker makes its prices of: spreads `fold` times the usual ones, so many lots a side,
    and how much of what it may hold it has bought; −1 is all sold.
    """

    fair: Fair
    fold: float
    lots: int
    fullness: float

    def prices(self, stage: Stage, book: Book) -> tuple[int, int]:
        """Return bid and ask in ticks, a tick apart at least."""
        value, price_usd = self.fair.value_usd(book), self.fair.price_usd
        half = price_usd * HALF_SPREAD * self.fold
        if book.kind in LINEAR:
            value -= price_usd * LEAN * self.fold * max(-1.0, min(1.0, self.fullness))
        else:
            half += value * OPTION_HALF_SPREAD * self.fold
        bid = stage.ticks(max(0.0, value - half), floor)
        return bid, max(bid + 1, stage.ticks(value + half, ceil))


def _long(crowd: Crowd, random: Random, equity_usd: float) -> Sizes:
    coins = crowd.coins(equity_usd, random.uniform(0.3, 0.97))
    return {crowd.stage.perpetual: crowd.stage.lots(coins)}


def _whale(crowd: Crowd, random: Random, equity_usd: float) -> Sizes:
    return {crowd.stage.perpetual: crowd.stage.lots(crowd.coins(equity_usd, 1.05))}


def _short(crowd: Crowd, random: Random, equity_usd: float) -> Sizes:
    return {book: -lots for book, lots in _long(crowd, random, equity_usd).items()}


def _put_seller(crowd: Crowd, random: Random, equity_usd: float) -> Sizes:
    book = crowd.option(InstrumentKind.PUT, random.uniform(0.75, 1.0), random.random() < 0.6)
    return {book: -crowd.stage.lots(crowd.coins(equity_usd, random.uniform(0.4, 1.1)))}


def _strangle_seller(crowd: Crowd, random: Random, equity_usd: float) -> Sizes:
    lots = crowd.stage.lots(crowd.coins(equity_usd, random.uniform(0.4, 0.9)))
    is_late = random.random() < 0.6
    put = crowd.option(InstrumentKind.PUT, 0.85, is_late)
    return {put: -lots, crowd.option(InstrumentKind.CALL, 1.2, is_late): -lots}


def _hedged(crowd: Crowd, random: Random, equity_usd: float) -> Sizes:
    lots = crowd.stage.lots(crowd.coins(equity_usd, random.uniform(0.5, 1.5)))
    return {crowd.stage.perpetual: lots, crowd.option(InstrumentKind.PUT, 0.95, True): lots}


def _carry(crowd: Crowd, random: Random, equity_usd: float) -> Sizes:
    lots = crowd.stage.lots(crowd.coins(equity_usd, random.uniform(1.0, 4.0)))
    future = max(
        (b for b in crowd.stage.books if b.kind == InstrumentKind.FUTURE),
        key=lambda book: book.expiry_ns,
    )
    return {crowd.stage.perpetual: -lots, future: lots}


def _option_buyer(crowd: Crowd, random: Random, equity_usd: float) -> Sizes:
    kind = random.choice((InstrumentKind.CALL, InstrumentKind.PUT))
    book = crowd.option(kind, random.uniform(0.85, 1.2), random.random() < 0.5)
    return {book: crowd.stage.lots(crowd.coins(equity_usd, random.uniform(0.2, 0.8)))}


ROLES: Mapping[str, tuple[float, Role]] = {
    "long": (35, _long),
    "short": (12, _short),
    "put seller": (14, _put_seller),
    "strangle seller": (9, _strangle_seller),
    "hedged": (10, _hedged),
    "carry": (10, _carry),
    "option buyer": (10, _option_buyer),
}
"""Weight and positions of each role."""
