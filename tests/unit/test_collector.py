"""What the kernel finds to do about debts, and what of it the collector sends."""

import asyncio
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

from proofbook.api.errors import Refusal, Refused
from proofbook.kernel import Kernel
from proofbook.protocol.commands import Leg, SettleVariation, StartConversion
from proofbook.protocol.limits import NS_PER_SECOND
from proofbook.protocol.terms import Terms
from proofbook.protocol.watch import DebtStep
from proofbook.sequencer.collector import SETTLE_NS, STEPS_PER_LOOK_MAX, Collector
from proofbook.simulator.inspection import account
from proofbook.simulator.scene import GRID, UNBOUND, USDC, WBTC, Scene

MARK = 800_000
BITCOIN = 10**8
NOW_NS = 10**18


class Found:
    """A watch that always finds the same."""

    def __init__(self, *steps: DebtStep) -> None:
        self.steps = list(steps)

    def debts(self) -> list[DebtStep]:
        return self.steps


def collector(*steps: DebtStep) -> Collector:
    return Collector(cast(Any, Found(*steps)), look_ns=NS_PER_SECOND // 1000)


def test_the_kernel_finds_what_would_be_applied() -> None:
    """Losses of who has no cash for them; too large a debt; a sale that is to end, or to begin."""
    grid = replace(GRID, perpetual=Terms(100_000, 100_000))
    parameters = replace(UNBOUND, debt_interest_ppm=0)
    scene = Scene(Kernel, grid, (WBTC,), parameters)
    kernel = cast(Kernel, scene.engine)
    scene.deposit("ann", 2 * BITCOIN, token=1)
    scene.deposit("bob", 1_000_000 * USDC)
    ann = scene.accounts["ann"]
    perpetual = scene.open_perpetual()
    assert scene.block("ann", "bob", [Leg(perpetual, 20_000, MARK)]).is_applied
    assert kernel.debts() == []

    def move(price_usd: int) -> None:
        scene.publish_index(price_usd * USDC)
        scene.remark_perpetual()

    move(70_000)
    assert kernel.debts() == [SettleVariation(ann)], "20,000 lost"
    assert scene.settle_variation("ann").is_applied
    assert kernel.debts() == []
    move(50_000)
    assert kernel.debts() == [StartConversion(ann)], "60,000 are lost, 95,000 counted"
    assert scene.start_conversion("ann").is_applied
    assert kernel.debts() == []
    move(80_000)
    assert account(scene, "ann").cash_atoms == -60_000 * USDC
    assert kernel.debts() == [StartConversion(ann)], "it is to end"
    assert scene.start_conversion("ann").is_applied
    assert kernel.debts() == []
    move(50_000)
    assert scene.start_conversion("ann").is_applied
    scene.wait(600 * NS_PER_SECOND)
    move(50_000)
    assert kernel.debts() == [StartConversion(ann)], "it is old"


def test_losses_are_settled_once_an_hour() -> None:
    steps = SettleVariation(3), StartConversion(3)
    one = collector()
    assert one.due(steps, NOW_NS) == list(steps)
    assert one.due(steps, NOW_NS + SETTLE_NS - 1) == [StartConversion(3)]
    assert one.due(steps, NOW_NS + SETTLE_NS) == list(steps)


def test_a_look_sends_a_bounded_number_of_steps() -> None:
    steps = [SettleVariation(3 + n) for n in range(STEPS_PER_LOOK_MAX + 1)]
    one = collector()
    assert one.due(steps, NOW_NS) == steps[:-1]
    assert one.due(steps, NOW_NS) == steps[-1:], "the rest comes with the next look"


def test_what_was_refused_is_sent_again() -> None:
    sent = list[DebtStep]()

    class Stubborn:
        clock = SimpleNamespace(now_ns=lambda: NOW_NS)
        is_accepting = True

        def enqueue(self, step: DebtStep) -> None:
            sent.append(step)
            self.is_accepting = len(sent) < 3
            raise Refused(Refusal.OVERLOADED, "busy")

    asyncio.run(collector(SettleVariation(3)).run(cast(Any, Stubborn())))
    assert sent == [SettleVariation(3)] * 3
