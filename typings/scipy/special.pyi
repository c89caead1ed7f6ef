"""The part of scipy.special that yardsticks use."""

import numpy as np
from numpy.typing import NDArray

def ndtr(x: NDArray[np.float64]) -> NDArray[np.float64]: ...
