"""What traders sent and what came back."""

import time
from collections import Counter


class Tally:
    """Counts of a run. Receipts are timed from sending a command to holding its checked receipt."""

    def __init__(self) -> None:
        self.orders = 0
        self.fills = 0
        self.rejections: Counter[str] = Counter()
        self.receipt_ns: list[int] = []

    def receipted(self, sent_ns: int) -> None:
        """Note that a command sent at a monotonic time has its receipt now."""
        self.receipt_ns.append(time.monotonic_ns() - sent_ns)
