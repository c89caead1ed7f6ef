"""A seeded stream of messages on one book: orders that rest or not, changes, cancels.

About half of the messages are new orders, of which 15 % are immediate-or-cancel, 41 % cancels and
9 % changes. A few cancels and changes come too late, as they do everywhere. Prices follow a walk
that swings, so that what nobody cancels trades in the end. No message depends on what a book did:
any book can be given the same stream.
"""

from dataclasses import dataclass
from enum import IntEnum
from math import ceil, pi
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from proofbook.protocol.limits import Side

IMMEDIATE_SHARE = 0.15
CHANGED_SHARE = 0.2
"""Of orders that rest; so many of those for another price, the others for one lot more."""
REPRICED_SHARE = 0.8
CANCELLED_SHARE = 0.95
TWICE_SHARE = 0.02
"""Of cancels, those that are sent a second time."""
NEW_SHARE = 1 / (1 + (1 - IMMEDIATE_SHARE) * (CHANGED_SHARE + CANCELLED_SHARE * (1 + TWICE_SHARE)))

START_TICKS = 33_504
SWING_TICKS = 100
SWING_ORDERS = 500_000
"""How far the price goes to either side, and after how many orders it is back."""
STEP_TICKS = 0.02
"""Standard deviation of the walk from one order to the next."""
LOTS_MAX = 100
DEPTH_MAX_TICKS = 799
DEPTH_EXPONENT = 2.23
HUMP_SHARE = 0.4
HUMP_TICKS = 8
HUMP_WIDTH_TICKS = 3
LIFE_ORDERS = 1_000
"""How many orders come, on average, before one at the touch is cancelled; deeper ones live on."""
DEEP_TICKS = 50


class Kind(IntEnum):
    """What a message asks of a book."""

    REST = 0
    IMMEDIATE = 1
    CANCEL = 2
    CHANGE = 3


MESSAGE = np.dtype(
    [("kind", "u1"), ("side", "u1"), ("lots", "<u4"), ("order", "<u8"), ("price_ticks", "<u8")],
    align=True,
)
"""`order` counts new orders from 1; a change names the new price and all lots that remain."""

Messages: TypeAlias = NDArray[np.void]


@dataclass(frozen=True, slots=True)
class Mix:
    """How many messages of each kind there are."""

    rest: int
    immediate: int
    cancel: int
    change: int

    @classmethod
    def of(cls, messages: Messages) -> "Mix":
        """Count the kinds of a stream."""
        return cls(*(int(count) for count in np.bincount(messages["kind"], minlength=len(Kind))))


def book_messages(count: int, seed: int) -> Messages:
    """Return so many messages in the order in which they come. Shape  [count]."""
    random = np.random.default_rng(seed)
    new, depth_ticks = _new_orders(ceil(count * NEW_SHARE * 1.02) + 64, random)
    does_rest = new["kind"] == Kind.REST
    resting = new[does_rest]
    placed = resting["order"].astype(float)
    lives = random.exponential(LIFE_ORDERS, len(resting)) * (
        1 + depth_ticks[does_rest] / DEEP_TICKS
    )
    ends = placed + lives
    is_cancelled = random.random(len(resting)) < CANCELLED_SHARE
    cancels = resting[is_cancelled].copy()
    cancels["kind"] = Kind.CANCEL
    is_twice = random.random(len(cancels)) < TWICE_SHARE
    changes, change_times = _changes(resting, placed, ends, random)
    cancel_times = ends[is_cancelled]
    again_times = cancel_times[is_twice] + random.exponential(LIFE_ORDERS, int(is_twice.sum()))
    messages = np.concatenate([new, cancels, cancels[is_twice], changes])
    times = np.concatenate([new["order"], cancel_times, again_times, change_times])
    return np.ascontiguousarray(messages[np.argsort(times, kind="stable")][:count])


def _middle(count: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Return the price around which each new order is placed."""
    swing = SWING_TICKS * np.sin(2 * pi / SWING_ORDERS * np.arange(count))
    walk = np.cumsum(random.normal(0, STEP_TICKS, count))
    return np.rint(START_TICKS + swing + walk).astype(np.int64)


def _new_orders(count: int, random: np.random.Generator) -> tuple[Messages, NDArray[np.int64]]:
    """Return orders by number, and how many ticks from the middle each is."""
    new = np.zeros(count, MESSAGE)
    middle = _middle(count, random)
    is_immediate = random.random(count) < IMMEDIATE_SHARE
    is_hump = random.random(count) < HUMP_SHARE
    hump = np.abs(random.normal(HUMP_TICKS, HUMP_WIDTH_TICKS, count))
    tail = random.pareto(DEPTH_EXPONENT - 1, count)
    depth = np.minimum(np.where(is_hump, hump, tail), DEPTH_MAX_TICKS).astype(np.int64) + 1
    is_buy = random.random(count) < 0.5
    # Away from the middle to rest; to trade at once up to it, so that about half of them miss.
    depth[is_immediate] = 0
    away = np.where(is_buy, -depth, depth)
    new["kind"] = np.where(is_immediate, Kind.IMMEDIATE, Kind.REST)
    new["side"] = np.where(is_buy, Side.BUY, Side.SELL)
    new["lots"] = random.integers(1, LOTS_MAX + 1, count)
    new["order"] = np.arange(1, count + 1)
    new["price_ticks"] = middle + away
    return new, depth


def _changes(
    resting: Messages,
    placed: NDArray[np.float64],
    ends: NDArray[np.float64],
    random: np.random.Generator,
) -> tuple[Messages, NDArray[np.float64]]:
    """Return changes of some orders somewhere in their lives, and when they come."""
    is_changed = random.random(len(resting)) < CHANGED_SHARE
    changes = resting[is_changed].copy()
    share = random.random(len(changes))
    times = placed[is_changed] + share * (ends - placed)[is_changed]
    is_repriced = random.random(len(changes)) < REPRICED_SHARE
    step = np.where(random.random(len(changes)) < 0.5, 1, -1)
    changes["kind"] = Kind.CHANGE
    changes["lots"] += 1
    changes["price_ticks"] = changes["price_ticks"].astype(np.int64) + step * is_repriced
    return changes, times
