"""Divisions that say which way they round."""


def ceil_div(numerator: int, denominator: int) -> int:
    """Return the quotient of a non-negative number, rounded up."""
    return -(-numerator // denominator)
