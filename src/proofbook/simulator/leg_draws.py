"""Draws of what traders agree on outside the books: quotes on request and blocks."""

from proofbook.protocol.commands import (
    AcceptQuote,
    BlockTrade,
    ComboLeg,
    CreateCombo,
    Leg,
    RfqQuote,
)
from proofbook.protocol.entry import UNSIGNED
from proofbook.protocol.events import ComboCreated, Event, LegFilled, Marked
from proofbook.protocol.limits import InstrumentKind
from proofbook.simulator.crowd import Crowd
from proofbook.simulator.listed import Listed

RATIOS = (1, -1, -1, -2, 2, 5, 0)
LEGS_DRAWN = (1, 1, 2, 2, 3, 4)
QUOTE_LOTS = (1, 2, 5, 30)
BLOCK_LOTS = (25, 30, 50, 50, 1)
ABSENT_INSTRUMENT = 99
MAX_FEES_PPM = (1_000, 1_000, 1_000, 450)


class LegDraws(Crowd):
    """A crowd whose traders also deal with each other. The makers' signatures come last."""

    def _accept_quote(self) -> AcceptQuote:
        """Return a quote and its acceptance, mostly by whom it is meant for."""
        account, nonce, expires_ns = self.header()
        taker = self.random.choice((0, account, account, account, self._account()))
        fee = self.random.choice(MAX_FEES_PPM)
        maker = self.header(self._other_account(account))
        quote = RfqQuote(*maker, taker, fee, self._legs(QUOTE_LOTS))
        return AcceptQuote(account, nonce, expires_ns, fee, 0, UNSIGNED, quote)

    def _block_trade(self) -> BlockTrade:
        """Return a block that mostly has the size of one."""
        account, nonce, expires_ns = self.header()
        maker, maker_nonce, _ = self.header(self._other_account(account))
        fee, legs = self.random.choice(MAX_FEES_PPM), self._legs(BLOCK_LOTS)
        return BlockTrade(account, nonce, expires_ns, fee, maker, maker_nonce, 0, UNSIGNED, legs)

    def _marked(self) -> list[Listed]:
        """Return the instruments with a mark, combos left out, and mostly what is over."""
        now_ns = 0 if self.random.random() < 0.1 else self.window_ns
        return [
            one
            for one in self.instruments.values()
            if one.mark_atoms and not one.legs and not 0 < one.expiry_ns <= now_ns
        ]

    def observe_legs(self, event: Event) -> None:
        """Learn which combos there are, and what they are worth as their legs are marked."""
        if isinstance(event, ComboCreated):
            self._learn_combo(event)
        elif isinstance(event, Marked):
            self.instruments[event.instrument].mark_atoms = event.mark_atoms
            for combo in self.instruments.values():
                if any(leg == event.instrument for leg, _ in combo.legs):
                    combo.mark_atoms = self._worth(combo.legs)
        elif isinstance(event, LegFilled):
            self.held_lots[event.taker_account, event.instrument] += event.taker_lots
            self.held_lots[event.maker_account, event.instrument] -= event.taker_lots

    def _worth(self, legs: tuple[tuple[int, int], ...]) -> int:
        return sum(ratio * self.instruments[leg].mark_atoms for leg, ratio in legs)

    def _learn_combo(self, event: ComboCreated) -> None:
        pairs = zip(event[3::2], event[4::2], strict=True)
        legs = tuple((leg, ratio) for leg, ratio in pairs if leg)
        coarsest = max(self.instruments[leg].tick_value_atoms for leg, _ in legs)
        self.instruments[event.instrument] = Listed(
            event.instrument, event.underlying, InstrumentKind.COMBO, 0, 0, coarsest,
            event.expiry_ns, self._worth(legs), legs,
        )  # fmt: skip

    def _create_combo(self) -> CreateCombo:
        """Return a combo of one underlying's instruments, few enough that some are traded."""
        header, marked = self.header(), self._marked()
        underlying = self.random.choice((1, 2)) if self.random.random() < 0.95 else 0
        pool = [listed.identifier for listed in marked if underlying in (0, listed.underlying)]
        count = self.random.choice((2, 2, 2, 3, 4))
        if len(pool) < count:
            return CreateCombo(*header, (ComboLeg(ABSENT_INSTRUMENT, 1), ComboLeg(100, 1)))
        chosen = sorted(self.random.sample(pool[:6], min(count, len(pool[:6]))))
        ratios = [1, *(self.random.choice(RATIOS) for _ in chosen[1:])]
        rows = zip(chosen, ratios, strict=True)
        return CreateCombo(*header, tuple(ComboLeg(leg, ratio) for leg, ratio in rows))

    def _other_account(self, account: int) -> int:
        others = [number for number in self.accounts if number != account]
        if not others or self.random.random() < 0.03:
            return account
        return self.random.choice(others)

    def _legs(self, sizes: tuple[int, ...]) -> tuple[Leg, ...]:
        """Return legs near their marks, in either direction."""
        marked = self._marked()
        if not marked:
            return (Leg(ABSENT_INSTRUMENT, 1, 1),)
        chosen = self.random.sample(marked, min(len(marked), self.random.choice(LEGS_DRAWN)))
        legs: list[Leg] = []
        for listed in sorted(chosen, key=lambda listed: listed.identifier):
            fair_ticks = listed.fair_ticks
            width = max(1, fair_ticks // 100)
            lots = self.random.choice(sizes) * self.random.choice((1, -1))
            price_ticks = fair_ticks + self.random.randint(-width, width)
            legs.append(Leg(listed.identifier, lots, price_ticks))
        return tuple(legs)
