"""Wide products: of numbers whose product needs more than 128 bits, compared or divided exactly."""

U64_MAX = (1 << 64) - 1


def is_product_at_least(left: int, by_left: int, right: int, by_right: int) -> bool:
    """Whether left · by_left ≥ right · by_right."""
    return left * by_left >= right * by_right


def mul_div_down(number: int, numerator: int, denominator: int) -> int:
    """Return number · numerator / denominator of numbers not below 0. Rounds down."""
    return number * numerator // denominator


def event_atoms(atoms: int) -> int:
    """Return an amount not below 0 as events tell it: at most what 64 bits hold."""
    return min(atoms, U64_MAX)
