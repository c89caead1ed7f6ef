"""What became of an entry: applied, rejected for a reason, or void for a reason."""

from typing import NamedTuple

from proofbook.protocol.limits import OutcomeKind, Reject, Void


class Outcome(NamedTuple):
    """The outcome of one entry: two bytes on the wire, `kind` and `reason` (0 when applied)."""

    kind: OutcomeKind
    reason: int = 0

    @classmethod
    def rejected(cls, reason: Reject) -> "Outcome":
        return cls(OutcomeKind.REJECTED, reason)

    @classmethod
    def void(cls, reason: Void) -> "Outcome":
        return cls(OutcomeKind.VOID, reason)

    @classmethod
    def decode(cls, data: bytes) -> "Outcome":
        """Return the outcome that two bytes hold."""
        return cls(OutcomeKind(data[0]), data[1])

    def encode(self) -> bytes:
        return bytes((self.kind, self.reason))

    @property
    def is_applied(self) -> bool:
        return self.kind == OutcomeKind.APPLIED

    @property
    def name(self) -> str:
        """The outcome in words: `APPLIED`, or the reason's name."""
        if self.kind == OutcomeKind.REJECTED:
            return Reject(self.reason).name
        if self.kind == OutcomeKind.VOID:
            return f"VOID_{Void(self.reason).name}"
        return "APPLIED"


APPLIED = Outcome(OutcomeKind.APPLIED)
