"""Sessions: keys that an owner lets act for an account, each within its scope.

Slot 0 of an account holds the owner, who may do everything and alone grants and revokes. A key is
in one slot of an account at most, and what it signed counts for no other slot. Nonces of a key that
goes are never good again in the account: its successors, itself included, start above them.
"""

from typing import NamedTuple

from proofbook.protocol.commands import (
    AcceptQuote,
    Amend,
    AuctionBid,
    BlockTrade,
    Command,
    CreateCombo,
    GrantRequest,
    GrantSession,
    Party,
    Place,
    PlaceTrigger,
    PositionTransfer,
    QuoteBatch,
    RevokeRequest,
    RevokeSession,
    Transfer,
)
from proofbook.protocol.events import SessionGranted, SessionRevoked
from proofbook.protocol.identifiers import instrument_slot, order_slot
from proofbook.protocol.limits import COMBO_FEE_ATOMS, SESSIONS_PER_ACCOUNT, Action, Reject, Side
from proofbook.protocol.records import AccountRecord, SignerRecord
from proofbook.protocol.scopes import OWNER_SESSION, action_rejection
from proofbook.spec.accounts import nonce_rejection
from proofbook.spec.arena import NO_SLOT
from proofbook.spec.prices import gross_per_lot
from proofbook.spec.rounding import ceil_div
from proofbook.spec.world import World

NO_KEY = bytes(20)
U32_MAX = (1 << 32) - 1
ALL_ACTIONS = sum(1 << action for action in Action)
ALL_NONCES_USED = b"\xff" * 32


class Order(NamedTuple):
    """What a command may trade: an instrument (by slot), its limit, how much, and whether it sells.

    The legs of a deal are sold by one of the two who sign it.
    """

    instrument: int
    price_ticks: int
    lots: int
    is_sold: bool = False


def signer_slot(world: World, party: Party) -> int:
    """Return the slot of the session's key, or 0 if account or session do not exist."""
    if not world.account_exists(party.account) or party.session >= SESSIONS_PER_ACCOUNT:
        return 0
    return world.accounts[party.account].signers[party.session]


def authority_rejection(world: World, party: Party, window_ns: int) -> Reject | None:
    """Return what is wrong in a window with account, session, expiry or nonce of who signed.

    Rejects  ACCOUNT_NOT_FOUND, SESSION_NOT_FOUND, MESSAGE_EXPIRED, NONCE_TOO_OLD, NONCE_USED,
             NONCE_OUT_OF_RANGE.
    """
    if not world.account_exists(party.account):
        return Reject.ACCOUNT_NOT_FOUND
    slot = signer_slot(world, party)
    if slot == NO_SLOT:
        return Reject.SESSION_NOT_FOUND
    if window_ns > party.expires_ns:
        return Reject.MESSAGE_EXPIRED
    rejection = nonce_rejection(world.signers[slot], party.nonce)
    if rejection is not None:
        return rejection
    is_in_range = _is_nonce_in_range(party, window_ns)
    return None if is_in_range else Reject.NONCE_OUT_OF_RANGE


def _is_nonce_in_range(party: Party, window_ns: int) -> bool:
    """Whether a session's nonce is at most the time in ns; the owner's may be any.

    Nonces of later keys start above those of a key that goes: one that signed with the highest
    number there is would leave none.
    """
    return party.session == OWNER_SESSION or party.nonce <= window_ns


def scope_rejection(
    world: World, signer_slot: int, session: int, command: Command
) -> Reject | None:
    """Return why a session may not do what its key has signed, or None.

    Rejects  SESSION_EXPIRED; SESSION_SCOPE_EXCEEDED (action, market, or money for another owner);
             SESSION_NOTIONAL_EXCEEDED.
    """
    if session == OWNER_SESSION:
        return None
    signer = world.signers[signer_slot]
    rejection = action_rejection(signer, session, command, world.header.window_ns)
    if rejection is not None:
        return rejection
    if not _is_market_allowed(world, signer, command) or _leaves_owner(world, command):
        return Reject.SESSION_SCOPE_EXCEEDED
    used_atoms = signer.notional_used_atoms + value_atoms(world, command)
    if signer.notional_cap_atoms and used_atoms > signer.notional_cap_atoms:
        return Reject.SESSION_NOTIONAL_EXCEEDED
    return None


def chargeable_atoms(world: World, signer_slot: int, session: int, command: Command) -> int:
    """Return what a command counts against the cap of its session, if it is applied.

    Asked before it is executed, since an amended order is gone afterwards.
    """
    is_capped = session != OWNER_SESSION and world.signers[signer_slot].notional_cap_atoms
    return value_atoms(world, command) if is_capped else 0


def orders_of(world: World, command: Command) -> list[Order]:
    """Return what a command may trade, for the markets and the cap of a session.

    A bid for what is liquidated trades at marks. A transfer of a position has no price, as it stays
    with its owner, nor has an Amend that only shrinks an order. What does not exist is left out: it
    is rejected later.
    """
    rows: list[Order] = []
    if isinstance(command, Place | PlaceTrigger):
        slot, is_sold = instrument_slot(command.instrument), command.side == Side.SELL
        rows = [Order(slot, command.price_ticks, command.lots, is_sold)]
    elif isinstance(command, QuoteBatch):
        rows = [
            Order(instrument_slot(q.instrument), q.price_ticks, q.lots, q.side == Side.SELL)
            for q in command.quotes
        ]
    elif isinstance(command, Amend) and order_slot(command.order) in world.orders:
        amended = world.orders[order_slot(command.order)]
        is_sold = amended.side == Side.SELL
        rows = [Order(amended.instrument, command.price_ticks, command.lots, is_sold)]
    elif isinstance(command, PositionTransfer):
        rows = [Order(instrument_slot(command.instrument), 0, command.lots)]
    elif isinstance(command, AcceptQuote | BlockTrade):
        legs = command.quote.legs if isinstance(command, AcceptQuote) else command.legs
        rows = [
            Order(instrument_slot(leg.instrument), leg.price_ticks, abs(leg.taker_lots), True)
            for leg in legs
        ]
    elif isinstance(command, AuctionBid):
        slots = [(instrument_slot(leg.instrument), abs(leg.lots)) for leg in command.legs]
        rows = [Order(slot, mark_ticks_up(world, slot), lots) for slot, lots in slots]
    elif isinstance(command, CreateCombo):
        rows = [Order(instrument_slot(leg.instrument), 0, 0) for leg in command.legs]
    return [row for row in rows if _is_listed(world, row.instrument)]


def _is_listed(world: World, slot: int) -> bool:
    return slot in world.instruments and world.instruments[slot].kind != 0


def mark_ticks_up(world: World, slot: int) -> int:
    """Return the mark of an instrument in ticks, at least one; 0 of one that was never listed."""
    if slot not in world.instruments:
        return 0
    tick_value_atoms = max(1, world.instruments[slot].tick_value_atoms)
    mark_atoms = abs(world.risk_arrays[slot].mark_atoms)
    return max(1, min(ceil_div(mark_atoms, tick_value_atoms), U32_MAX))


def value_atoms(world: World, command: Command) -> int:
    """Return the value of a command's orders at their limits, in atoms, or the fee of a combo.

    What may be sold counts for at least its mark: at a limit of next to nothing it could be given
    away.
    """
    fee_atoms = COMBO_FEE_ATOMS if isinstance(command, CreateCombo) else 0
    return fee_atoms + sum(
        order.lots * _counted_per_lot(world, order)
        for order in orders_of(world, command)
        if order.price_ticks
    )


def _counted_per_lot(world: World, order: Order) -> int:
    limit_atoms = gross_per_lot(world, order.instrument, order.price_ticks)
    mark_atoms = world.risk_arrays[order.instrument].mark_atoms
    return max(limit_atoms, mark_atoms) if order.is_sold else limit_atoms


def _is_market_allowed(world: World, signer: SignerRecord, command: Command) -> bool:
    """Whether the session may trade the underlyings that a command names."""
    return all(
        signer.markets >> world.instruments[slot].underlying & 1
        for slot, *_ in orders_of(world, command)
    )


def _leaves_owner(world: World, command: Command) -> bool:
    """Whether a transfer goes to an account of somebody else."""
    if not isinstance(command, Transfer | PositionTransfer):
        return False
    if not world.account_exists(command.recipient):
        return False
    return world.accounts[command.recipient].owner != world.accounts[command.account].owner


def grant_session(world: World, command: GrantSession | GrantRequest) -> Reject | None:
    """Give a key a slot, in place of the one that was there.

    Rejects  ARENA_FULL last; SESSION_OUT_OF_RANGE; SESSION_SCOPE_INVALID (no key, no action or one
             that does not exist, or expired); SESSION_KEY_IN_USE.
    """
    account = world.accounts[command.account]
    rejection = _grant_rejection(world, account, command)
    if rejection is not None:
        return rejection
    _retire(world, command.account, command.session)
    slot, signer = world.signers.allocate()
    world.accounts.edit(command.account).signers[command.session] = slot
    signer.address = command.key
    signer.account = command.account
    signer.nonce_highest = account.nonce_floor
    signer.nonce_bitmap = ALL_NONCES_USED
    signer.expires_ns = command.session_expires_ns
    signer.actions = command.actions
    signer.markets = command.markets
    signer.notional_cap_atoms = command.notional_cap_atoms
    world.emit(
        SessionGranted(
            command.account, command.session, command.key, command.actions, command.markets,
            command.notional_cap_atoms, command.session_expires_ns, account.nonce_floor,
        )
    )  # fmt: skip
    return None


def _grant_rejection(
    world: World, account: AccountRecord, command: GrantSession | GrantRequest
) -> Reject | None:
    if not 1 <= command.session < SESSIONS_PER_ACCOUNT:
        return Reject.SESSION_OUT_OF_RANGE
    is_scope = (
        command.key != NO_KEY
        and command.actions != 0
        and command.actions & ~ALL_ACTIONS == 0
        and command.session_expires_ns > world.header.window_ns
    )
    if not is_scope:
        return Reject.SESSION_SCOPE_INVALID
    others = [
        slot for place, slot in enumerate(account.signers) if slot and place != command.session
    ]
    if any(world.signers[slot].address == command.key for slot in others):
        return Reject.SESSION_KEY_IN_USE
    is_used = account.signers[command.session] != NO_SLOT
    return None if is_used or _has_room(world) else Reject.ARENA_FULL


def _has_room(world: World) -> bool:
    """Whether a signer is left beside one for every account that can still be made."""
    accounts_left = world.accounts.capacity - 1 - world.accounts.live
    return world.signers.has_room(1 + accounts_left)


def _retire(world: World, account: int, session: int) -> None:
    """Free the slot of a session, if it has a key, and raise the floor of later keys' nonces."""
    slot = world.accounts[account].signers[session]
    if slot == NO_SLOT:
        return
    record = world.accounts.edit(account)
    record.nonce_floor = max(record.nonce_floor, world.signers[slot].nonce_highest)
    record.signers[session] = NO_SLOT
    world.signers.free(slot)


def revoke_session(world: World, command: RevokeSession | RevokeRequest) -> Reject | None:
    """End a session. Rejects SESSION_OUT_OF_RANGE, SESSION_NOT_GRANTED."""
    if not 1 <= command.session < SESSIONS_PER_ACCOUNT:
        return Reject.SESSION_OUT_OF_RANGE
    slot = world.accounts[command.account].signers[command.session]
    if slot == NO_SLOT:
        return Reject.SESSION_NOT_GRANTED
    world.emit(SessionRevoked(command.account, command.session, world.signers[slot].address))
    _retire(world, command.account, command.session)
    return None


def grant_request(world: World, command: GrantRequest) -> Reject | None:
    """Grant for an owner who asked on chain, and may be a contract.

    Rejects ACCOUNT_NOT_FOUND, OWNER_MISMATCH; then as `grant_session`.
    """
    return _owner_rejection(world, command) or grant_session(world, command)


def revoke_request(world: World, command: RevokeRequest) -> Reject | None:
    """Revoke for an owner who asked on chain.

    Rejects ACCOUNT_NOT_FOUND, OWNER_MISMATCH; then as `revoke_session`.
    """
    return _owner_rejection(world, command) or revoke_session(world, command)


def _owner_rejection(world: World, command: GrantRequest | RevokeRequest) -> Reject | None:
    if not world.account_exists(command.account):
        return Reject.ACCOUNT_NOT_FOUND
    is_owner = world.accounts[command.account].owner == command.owner
    return None if is_owner else Reject.OWNER_MISMATCH
