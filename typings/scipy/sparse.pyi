"""The part of scipy.sparse that yardsticks use."""

import numpy as np
from numpy.typing import NDArray

class csr_matrix:
    def __init__(
        self,
        arg1: tuple[NDArray[np.int64], tuple[NDArray[np.int64], NDArray[np.int64]]],
        *,
        shape: tuple[int, int],
        dtype: type[np.int64],
    ) -> None: ...
    def __matmul__(self, other: NDArray[np.int64]) -> NDArray[np.int64]: ...
