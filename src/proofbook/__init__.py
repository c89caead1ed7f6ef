"""An off-chain execution layer for derivatives that anyone can replay and prove wrong."""

__version__ = "0.1.0"
