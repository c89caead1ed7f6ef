"""Faults of a demonstration: what it promises and did not come true.

DemonstrationFault
├── CommandRefused       a command of the venue itself (listing, price, mark) was not applied
├── DepositsNotCredited  money in the vault did not become cash of accounts in time
├── CrowdFailed          the process of makers and takers ended before its time
├── PositionsLeft        positions stayed open after everything was closed
├── ParadeFailed         an order did not do what it promises
├── ExpiryNotSettled     an expiry was over, and its positions stayed
└── VerifierFailed       the verifier ended without a verdict
"""

from collections.abc import Sequence


class DemonstrationFault(Exception):
    """Something that the demonstration needs did not happen."""


class CommandRefused(DemonstrationFault):
    def __init__(self, command: str, outcome: str) -> None:
        super().__init__(f"{command} was refused: {outcome}")
        self.command = command
        self.outcome = outcome


class DepositsNotCredited(DemonstrationFault):
    def __init__(self, missing: Sequence[int], seconds: float) -> None:
        super().__init__(f"accounts {list(missing)} are not credited after {seconds:.0f} s")
        self.missing = missing
        self.seconds = seconds


class CrowdFailed(DemonstrationFault):
    def __init__(self, code: int, output: str) -> None:
        super().__init__(f"makers and takers ended with code {code}: {output}")
        self.code = code
        self.output = output


class PositionsLeft(DemonstrationFault):
    def __init__(self, account: int, instruments: Sequence[str]) -> None:
        super().__init__(f"account {account} still holds {', '.join(instruments)}")
        self.account = account
        self.instruments = instruments


class VerifierFailed(DemonstrationFault):
    def __init__(self, contract: str, code: int, output: str) -> None:
        super().__init__(f"verifying {contract} ended with code {code}: {output}")
        self.contract = contract
        self.code = code
        self.output = output


class ExpiryNotSettled(DemonstrationFault):
    def __init__(self, instrument: str, seconds: float) -> None:
        super().__init__(f"{instrument} is over and not settled after {seconds:.0f} s")
        self.instrument = instrument
        self.seconds = seconds


class ParadeFailed(DemonstrationFault):
    def __init__(self, promise: str) -> None:
        super().__init__(f"an order did not keep a promise: {promise}")
        self.promise = promise
