"""The part of scipy.optimize that fits use."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

class OptimizeResult:
    cost: float
    x: NDArray[np.float64]

def least_squares(
    fun: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    x0: NDArray[np.float64],
    *,
    bounds: tuple[NDArray[np.float64], NDArray[np.float64]],
    x_scale: NDArray[np.float64],
    max_nfev: int,
) -> OptimizeResult: ...
