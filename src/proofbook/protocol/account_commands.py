"""Commands about accounts: sessions, transfers between accounts, fee schedules."""

from dataclasses import dataclass
from struct import Struct
from typing import ClassVar

from proofbook.protocol.codec import Command, TraderCommand
from proofbook.protocol.limits import Tag


@dataclass(frozen=True, slots=True)
class GrantSession(TraderCommand):
    """Let a key act for the account, within a scope, from a slot of its own.

    `actions` has a bit for each `Action`, `markets` one for each underlying by its number.
    `notional_cap_atoms` bounds the value of all orders together, at their limits; 0 is no bound.
    """

    TAG: ClassVar = Tag.GRANT_SESSION
    LAYOUT: ClassVar = Struct("<IQQB20sIQQQ")
    account: int
    nonce: int
    expires_ns: int
    session: int
    key: bytes
    actions: int
    markets: int
    notional_cap_atoms: int
    session_expires_ns: int


@dataclass(frozen=True, slots=True)
class RevokeSession(TraderCommand):
    """End the session of a slot."""

    TAG: ClassVar = Tag.REVOKE_SESSION
    LAYOUT: ClassVar = Struct("<IQQB")
    account: int
    nonce: int
    expires_ns: int
    session: int


@dataclass(frozen=True, slots=True)
class GrantRequest(Command):
    """A GrantSession by an owner on the settlement chain, who may be a contract."""

    TAG: ClassVar = Tag.GRANT_REQUEST
    LAYOUT: ClassVar = Struct("<I20sB20sIQQQ")
    account: int
    owner: bytes
    session: int
    key: bytes
    actions: int
    markets: int
    notional_cap_atoms: int
    session_expires_ns: int


@dataclass(frozen=True, slots=True)
class RevokeRequest(Command):
    """A RevokeSession by an owner on the settlement chain."""

    TAG: ClassVar = Tag.REVOKE_REQUEST
    LAYOUT: ClassVar = Struct("<I20sB")
    account: int
    owner: bytes
    session: int


@dataclass(frozen=True, slots=True)
class Transfer(TraderCommand):
    """Move money to another account: anybody's, or with a session's key one of the same owner."""

    TAG: ClassVar = Tag.TRANSFER
    LAYOUT: ClassVar = Struct("<IQQIBQ")
    account: int
    nonce: int
    expires_ns: int
    recipient: int
    token: int
    amount_atoms: int


@dataclass(frozen=True, slots=True)
class PositionTransfer(TraderCommand):
    """Move lots of the account's position, long or short, to another account of its owner."""

    TAG: ClassVar = Tag.POSITION_TRANSFER
    LAYOUT: ClassVar = Struct("<IQQIIQ")
    account: int
    nonce: int
    expires_ns: int
    recipient: int
    instrument: int
    lots: int


@dataclass(frozen=True, slots=True)
class SetFeeSchedule(Command):
    """Set the fees of perpetuals, futures and options under a schedule, made if it is the next.

    `version` is one more than the schedule's, so that no decision overtakes another.
    """

    TAG: ClassVar = Tag.SET_FEE_SCHEDULE
    LAYOUT: ClassVar = Struct("<II6I")
    schedule: int
    version: int
    perpetual_maker_ppm: int
    perpetual_taker_ppm: int
    future_maker_ppm: int
    future_taker_ppm: int
    option_maker_ppm: int
    option_taker_ppm: int


@dataclass(frozen=True, slots=True)
class AssignFees(Command):
    """Put an account under a fee schedule; 0: the terms of each instrument."""

    TAG: ClassVar = Tag.ASSIGN_FEES
    LAYOUT: ClassVar = Struct("<II")
    account: int
    schedule: int
