"""Every story is told to the spec and to the kernel on each of its stores."""

from functools import partial
from typing import get_args

import pytest

from proofbook.kernel import Kernel, Store
from proofbook.simulator.scene import USDC, Scene
from proofbook.spec import State

ENGINES = {
    "spec": State,
    "kernel-cached": partial(Kernel, store="cached"),
    "kernel-plain": partial(Kernel, store="plain"),
    "kernel-witness": partial(Kernel, store="witness"),
}


@pytest.fixture(params=list(ENGINES))
def empty(request: pytest.FixtureRequest) -> Scene:
    """A venue without accounts or instruments."""
    return Scene(ENGINES[request.param])


@pytest.fixture
def scene(empty: Scene) -> Scene:
    """A venue where ann, bob and cid have 1,000,000 USDC each."""
    for name in ("ann", "bob", "cid"):
        empty.deposit(name, 1_000_000 * USDC)
    return empty


@pytest.fixture
def perpetual(scene: Scene) -> int:
    """The BTC perpetual, marked at 80,000 USD: 800,000 ticks."""
    return scene.open_perpetual()


@pytest.fixture
def call(scene: Scene) -> int:
    """A 30-day at-the-money call, marked."""
    return scene.open_option()


@pytest.fixture
def store(request: pytest.FixtureRequest) -> Store | None:
    """The store of the kernel under test; None for the spec."""
    engine: str = request.node.callspec.params["empty"]
    return next((store for store in get_args(Store) if engine.endswith(store)), None)
