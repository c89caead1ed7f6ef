"""Margin as two other venues publish it, in floating point: what ours is compared with."""
