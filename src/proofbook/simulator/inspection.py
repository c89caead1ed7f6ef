"""Read records through the engine, so that the same test looks into every store."""

from proofbook.protocol.limits import ArenaId
from proofbook.protocol.records import (
    AccountRecord,
    AuctionRecord,
    ExpiryRecord,
    GlobalRecord,
    InstrumentRecord,
    OrderRecord,
    PositionRecord,
    RiskArrayRecord,
    SignerRecord,
    TokenRecord,
)
from proofbook.simulator.scene import Scene


def header(scene: Scene) -> GlobalRecord:
    return GlobalRecord.unpack(scene.engine.read(ArenaId.GLOBAL, 0))


def account(scene: Scene, name: str) -> AccountRecord:
    return account_at(scene, scene.accounts[name])


def account_at(scene: Scene, slot: int) -> AccountRecord:
    return AccountRecord.unpack(scene.engine.read(ArenaId.ACCOUNTS, slot))


def signer(scene: Scene, name: str, session: int = 0) -> SignerRecord | None:
    """Return the record of a session's key, or None if the slot has none."""
    slot = account(scene, name).signers[session]
    return SignerRecord.unpack(scene.engine.read(ArenaId.SIGNERS, slot)) if slot else None


def position(scene: Scene, name: str) -> PositionRecord | None:
    """Return the trader's first position, or None."""
    slot = account(scene, name).positions_head
    return PositionRecord.unpack(scene.engine.read(ArenaId.POSITIONS, slot)) if slot else None


def position_in(scene: Scene, name: str, identifier: int) -> PositionRecord | None:
    """Return the trader's position in an instrument, or None."""
    slot = account(scene, name).positions_head
    while slot:
        held = PositionRecord.unpack(scene.engine.read(ArenaId.POSITIONS, slot))
        if held.instrument == identifier & 0xFFFF:
            return held
        slot = held.next_in_account
    return None


def instrument(scene: Scene, identifier: int) -> InstrumentRecord:
    return InstrumentRecord.unpack(scene.engine.read(ArenaId.INSTRUMENTS, identifier & 0xFFFF))


def expiry(scene: Scene, slot: int) -> ExpiryRecord:
    return ExpiryRecord.unpack(scene.engine.read(ArenaId.EXPIRIES, slot))


def risk_array(scene: Scene, identifier: int) -> RiskArrayRecord:
    return RiskArrayRecord.unpack(scene.engine.read(ArenaId.RISK_ARRAYS, identifier & 0xFFFF))


def auction(scene: Scene, name: str) -> AuctionRecord | None:
    """Return the liquidation auction of a trader's account, or None."""
    slot = account(scene, name).auction
    return AuctionRecord.unpack(scene.engine.read(ArenaId.AUCTIONS, slot)) if slot else None


def order(scene: Scene, identifier: int) -> OrderRecord:
    return OrderRecord.unpack(scene.engine.read(ArenaId.ORDERS, identifier & 0xFFFF_FFFF))


def pending_funding(scene: Scene, held: PositionRecord) -> int:
    """Return the funding that a position owes and has not paid, in atoms."""
    return held.lots * (instrument(scene, held.instrument).funding_index - held.funding_index)


def token(scene: Scene, number: int) -> TokenRecord:
    return TokenRecord.unpack(scene.engine.read(ArenaId.TOKENS, number))


def final_value(scene: Scene, held: PositionRecord) -> int:
    """Return what a position is still paid for a final mark, in atoms; 0 before there is one."""
    if not instrument(scene, held.instrument).settled_ns:
        return 0
    return held.lots * risk_array(scene, held.instrument).mark_atoms


def money(scene: Scene) -> int:
    """Return cash, entries, pending funding and final values of all accounts, added up."""
    total = 0
    for slot in range(1, 3 + len(scene.accounts)):
        record = account_at(scene, slot)
        total += record.cash_atoms
        position_slot = record.positions_head
        while position_slot:
            held = PositionRecord.unpack(scene.engine.read(ArenaId.POSITIONS, position_slot))
            total += held.entry_atoms - pending_funding(scene, held) + final_value(scene, held)
            position_slot = held.next_in_account
    return total
