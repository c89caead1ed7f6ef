"""What may be scheduled, and the name of an operation."""

import pytest

from proofbook.protocol.commands import AssignFees, Deposit, SetInstrument, Tick
from proofbook.protocol.entry import command_bytes
from proofbook.protocol.limits import InstrumentMode, InstrumentState
from proofbook.settlement.errors import CommandNotGoverned
from proofbook.settlement.governance import (
    COMMANDS_PER_OPERATION_MAX,
    Operation,
    require_governed,
)

INBOX = b"\x11" * 20
HALT = command_bytes(SetInstrument(5, InstrumentState.HALTED, InstrumentMode.CONTINUOUS))
ASSIGN = command_bytes(AssignFees(3, 1))


@pytest.mark.parametrize("count", [1, COMMANDS_PER_OPERATION_MAX])
def test_commands_of_governance_may_be_scheduled(count: int) -> None:
    require_governed([HALT] * count)
    require_governed([ASSIGN] * count)


@pytest.mark.parametrize("count", [0, COMMANDS_PER_OPERATION_MAX + 1])
def test_no_commands_or_too_many_are_refused(count: int) -> None:
    with pytest.raises(CommandNotGoverned, match=f"{count} commands"):
        require_governed([HALT] * count)


@pytest.mark.parametrize(
    "request_bytes",
    [
        command_bytes(Deposit(3, b"\x05" * 20, 0, 0, 7)),
        command_bytes(Tick()),
        b"",
        b"\x0e",
        HALT[:-1],
        HALT + b"\0",
        HALT[:5] + b"\x63" + HALT[6:],
    ],
    ids=["deposit", "tick", "empty", "no tag", "short", "long", "no state"],
)
def test_what_the_venue_would_not_execute_as_governance_is_refused(request_bytes: bytes) -> None:
    with pytest.raises(CommandNotGoverned):
        require_governed([HALT, request_bytes])


def test_every_part_of_an_operation_is_in_its_name() -> None:
    one = b"\x01" * 32
    operations = [
        Operation(INBOX, (HALT,)),
        Operation(INBOX, (ASSIGN,)),
        Operation(INBOX, (HALT, ASSIGN)),
        Operation(INBOX, (ASSIGN, HALT)),
        Operation(INBOX, (HALT,), predecessor=one),
        Operation(INBOX, (HALT,), salt=one),
        Operation(b"\x12" * 20, (HALT,)),
    ]
    assert len({operation.identifier for operation in operations}) == len(operations)
