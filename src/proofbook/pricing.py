"""Prices and sensitivities of many options at once, in floating point: for people and models.

Nothing that the state machine decides depends on them.
"""

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from proofbook import _native

Floats: TypeAlias = NDArray[np.float64]


class Greeks(NamedTuple):
    """Per unit: price; delta per unit of the forward; gamma per its square; vega per 1.00 of
    volatility; theta per year that passes. Shape  all [options].
    """

    price: Floats
    delta: Floats
    gamma: Floats
    vega: Floats
    theta: Floats


def black76(
    forward: ArrayLike,
    strike: ArrayLike,
    volatility: ArrayLike,
    years: ArrayLike,
    sign: ArrayLike,
    output: Floats | None = None,
) -> Greeks:
    """Return what options are worth, undiscounted; `sign` is 1 for a call and −1 for a put.

    Numbers are broadcast against one another. `output` takes the results if it is given.
    Shape  each [options] or one number, output [5, options].
    Raises ValueError for numbers that are not above 0, and for an output of another shape.
    Source  Black (1976).
    """
    given: Sequence[Floats] = [
        np.asarray(each, np.float64) for each in (forward, strike, volatility, years, sign)
    ]
    (count,) = np.broadcast_shapes((1,), *(each.shape for each in given))
    inputs = [np.ascontiguousarray(np.broadcast_to(each, count)) for each in given]
    rows = np.empty((len(Greeks._fields), count)) if output is None else output
    _native.evaluate_options(inputs, rows)
    return Greeks._make(rows)
