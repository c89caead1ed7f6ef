"""What a verifier can find wrong, and its verdict."""

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any


class FindingKind(StrEnum):
    """Open at the end."""

    CONTRACT_FOREIGN = "CONTRACT_FOREIGN"  # a contract of the venue is not the one known here
    GENESIS_MISMATCH = "GENESIS_MISMATCH"  # bytes, hash and root of the genesis disagree
    DATA_NOT_READABLE = "DATA_NOT_READABLE"  # an append was not sent as a plain transaction
    DATA_MISMATCH = "DATA_MISMATCH"  # entries are not those that the contract recorded
    INBOX_MISMATCH = "INBOX_MISMATCH"  # consumed requests are not those of the inbox
    CLAIM_MISMATCH = "CLAIM_MISMATCH"  # events and state of the contract disagree about a claim
    ROOT_MISMATCH = "ROOT_MISMATCH"  # a claimed root does not follow from the entries
    VOID_ENTRY = "VOID_ENTRY"  # an entry that nobody may append
    REQUEST_MISSTAMPED = "REQUEST_MISSTAMPED"  # a request under a stamp out of order; it counts


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong. What does not apply is None; a batch counts its segments from 0."""

    kind: FindingKind
    note: str
    batch: int | None = None
    segment: int | None = None
    first_seq: int | None = None
    last_seq: int | None = None
    expected: str | None = None
    claimed: str | None = None
    seq: int | None = None
    reason: str | None = None


@dataclass(frozen=True)
class BatchVerdict:
    """What became of one claim."""

    batch: int
    first_seq: int
    last_seq: int
    segments: int
    post_root: str
    is_final: bool
    verified: bool


@dataclass(frozen=True)
class Governance:
    """Who may change the rules, and the time that users have before. Addresses as text.

    The zero address among the executors stands for anyone. Admins say who has which role: at the
    start the governor alone, which acts after its delay. None of them can shorten the delay.
    """

    governor: str
    delay_seconds: int
    delay_min_seconds: int
    proposers: list[str]
    cancellers: list[str]
    executors: list[str]
    admins: list[str]


@dataclass
class Report:
    """The verdict on a chain, as of one block."""

    chain_id: int
    contract: str
    engine: str
    block: int
    batches: list[BatchVerdict] = field(default_factory=list[BatchVerdict])
    findings: list[Finding] = field(default_factory=list[Finding])
    outcomes: dict[str, int] = field(default_factory=dict[str, int])
    entries: int = 0
    entries_unclaimed: int = 0
    seconds: float = 0.0
    governance: Governance | None = None  # None: the contracts are not ours

    @property
    def verified(self) -> bool:
        return not self.findings

    def count(self, outcome: str) -> None:
        """Count one more entry with this outcome."""
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1

    def as_json(self) -> dict[str, Any]:
        """Return the report as plain values, the verdict first."""
        return {"verified": self.verified, **asdict(self)}
