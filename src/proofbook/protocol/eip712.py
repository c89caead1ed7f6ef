"""EIP-712 digests of everything that a trader or a publisher signs.

Source https://eips.ethereum.org/EIPS/eip-712; equality with eth-account is a test.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from proofbook.protocol.commands import (
    AcceptQuote,
    Amend,
    AuctionBid,
    BlockTrade,
    BuyCollateral,
    Cancel,
    CancelAll,
    CancelTrigger,
    CreateCombo,
    ForwardCurve,
    GrantSession,
    IndexPrice,
    Place,
    PlaceTrigger,
    PositionTransfer,
    QuoteBatch,
    ResetProtection,
    RevokeSession,
    RfqQuote,
    SetDeadMan,
    SetMarginMode,
    SetProtection,
    SurfaceSlice,
    TraderCommand,
    Transfer,
    VolSurface,
    Withdraw,
)
from proofbook.protocol.hashing import keccak

DOMAIN_NAME = "Proofbook"
DOMAIN_VERSION = "1"

DOMAIN_TYPE = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
PLACE_TYPE = (
    "Place(uint32 account,uint64 nonce,uint64 expiresNs,uint32 instrument,uint8 side,"
    "uint8 orderType,uint32 priceTicks,uint64 lots,uint8 timeInForce,uint8 postOnly,"
    "bool reduceOnly,uint8 selfTradePrevention,uint16 group,uint32 maxFeePpm,bytes8 label)"
)
CANCEL_TYPE = "Cancel(uint32 account,uint64 nonce,uint64 expiresNs,uint64 order)"
CANCEL_ALL_TYPE = "CancelAll(uint32 account,uint64 nonce,uint64 expiresNs)"
PLACE_TRIGGER_TYPE = (
    "PlaceTrigger(uint32 account,uint64 nonce,uint64 expiresNs,uint32 instrument,uint8 condition,"
    "uint32 triggerTicks,uint8 side,uint32 priceTicks,uint64 lots,uint8 timeInForce,"
    "bool reduceOnly,uint8 selfTradePrevention,uint16 group,uint32 maxFeePpm,bytes8 label)"
)
CANCEL_TRIGGER_TYPE = "CancelTrigger(uint32 account,uint64 nonce,uint64 expiresNs,uint64 trigger)"
WITHDRAW_TYPE = (
    "Withdraw(uint32 account,uint64 nonce,uint64 expiresNs,uint8 token,address recipient,"
    "uint64 amountAtoms)"
)
AMEND_TYPE = (
    "Amend(uint32 account,uint64 nonce,uint64 expiresNs,uint64 order,uint32 priceTicks,uint64 lots)"
)
QUOTE_BATCH_TYPE = (
    "QuoteBatch(uint32 account,uint64 nonce,uint64 expiresNs,uint8 protection,uint8 postOnly,"
    "uint32 maxFeePpm,Quote[] quotes)"
    "Quote(uint32 instrument,uint8 side,uint32 priceTicks,uint64 lots)"
)
SET_PROTECTION_TYPE = (
    "SetProtection(uint32 account,uint64 nonce,uint64 expiresNs,uint8 protection,"
    "uint64 intervalNs,uint64 frozenNs,uint64 limitNanos)"
)
RESET_PROTECTION_TYPE = (
    "ResetProtection(uint32 account,uint64 nonce,uint64 expiresNs,uint8 protection)"
)
SET_DEAD_MAN_TYPE = "SetDeadMan(uint32 account,uint64 nonce,uint64 expiresNs,uint64 deadlineNs)"
SET_MARGIN_MODE_TYPE = "SetMarginMode(uint32 account,uint64 nonce,uint64 expiresNs,uint8 mode)"
TRANSFER_TYPE = (
    "Transfer(uint32 account,uint64 nonce,uint64 expiresNs,uint32 recipient,uint8 token,"
    "uint64 amountAtoms)"
)
POSITION_TRANSFER_TYPE = (
    "PositionTransfer(uint32 account,uint64 nonce,uint64 expiresNs,uint32 recipient,"
    "uint32 instrument,uint64 lots)"
)
GRANT_SESSION_TYPE = (
    "GrantSession(uint32 account,uint64 nonce,uint64 expiresNs,uint8 session,address key,"
    "uint32 actions,uint64 markets,uint64 notionalCapAtoms,uint64 sessionExpiresNs)"
)
REVOKE_SESSION_TYPE = "RevokeSession(uint32 account,uint64 nonce,uint64 expiresNs,uint8 session)"
LEG_TYPE = "Leg(uint32 instrument,int64 takerLots,uint32 priceTicks)"
RFQ_QUOTE_MEMBERS = (
    "RfqQuote(uint32 account,uint64 nonce,uint64 expiresNs,uint32 taker,uint32 maxFeePpm,"
    "Leg[] legs)"
)
RFQ_QUOTE_TYPE = RFQ_QUOTE_MEMBERS + LEG_TYPE
ACCEPT_QUOTE_TYPE = (
    "AcceptQuote(uint32 account,uint64 nonce,uint64 expiresNs,uint32 maxFeePpm,RfqQuote quote)"
    f"{LEG_TYPE}{RFQ_QUOTE_MEMBERS}"
)
BLOCK_TRADE_TYPE = (
    "BlockTrade(uint32 account,uint64 nonce,uint64 expiresNs,uint32 maxFeePpm,"
    f"uint32 makerAccount,uint64 makerNonce,Leg[] legs){LEG_TYPE}"
)
CREATE_COMBO_TYPE = (
    "CreateCombo(uint32 account,uint64 nonce,uint64 expiresNs,ComboLeg[] legs)"
    "ComboLeg(uint32 instrument,int64 ratio)"
)
AUCTION_BID_TYPE = (
    "AuctionBid(uint32 account,uint64 nonce,uint64 expiresNs,uint32 target,int64 maxCostAtoms,"
    "BidLeg[] legs)BidLeg(uint32 instrument,int64 lots)"
)
BUY_COLLATERAL_TYPE = (
    "BuyCollateral(uint32 account,uint64 nonce,uint64 expiresNs,uint32 target,uint8 token,"
    "uint64 amountAtoms,uint64 priceMaxAtoms)"
)
INDEX_PRICE_TYPE = "IndexPrice(uint32 underlying,uint64 publishedNs,uint64 priceAtoms)"
FORWARD_CURVE_TYPE = (
    "ForwardCurve(uint32 underlying,uint64 publishedNs,uint64[] expiriesNs,uint64[] forwardsAtoms)"
)
SURFACE_SLICE_TYPE = "SurfaceSlice(uint64 expiryNs,int64 a,int64 b,int64 rho,int64 m,int64 sigma)"
VOL_SURFACE_TYPE = (
    f"VolSurface(uint32 underlying,uint64 publishedNs,SurfaceSlice[] slices){SURFACE_SLICE_TYPE}"
)


def domain_separator(chain_id: int, contract: bytes) -> bytes:
    """Return the hash that ties a signature to one chain and one Chain contract (20 bytes)."""
    return keccak(
        keccak(DOMAIN_TYPE.encode())
        + keccak(DOMAIN_NAME.encode())
        + keccak(DOMAIN_VERSION.encode())
        + word(chain_id)
        + bytes(12)
        + contract
    )


def digest(separator: bytes, struct_hash: bytes) -> bytes:
    """Return the 32 bytes that are signed."""
    return keccak(b"\x19\x01" + separator + struct_hash)


def command_digest(separator: bytes, command: TraderCommand | RfqQuote) -> bytes:
    """Return the digest of a trader's command, or of a quote that another trader may accept."""
    return digest(separator, _encoder(type(command)).hash(command))


def word(number: int) -> bytes:
    """Return an integer as a 32-byte big-endian word, two's complement if negative."""
    return (number & (1 << 256) - 1).to_bytes(32, "big")


def words(*numbers: int) -> bytes:
    return b"".join([word(number) for number in numbers])


COMMAND_TYPES: Mapping[type[TraderCommand | RfqQuote], str] = {
    Place: PLACE_TYPE,
    Cancel: CANCEL_TYPE,
    CancelAll: CANCEL_ALL_TYPE,
    Amend: AMEND_TYPE,
    QuoteBatch: QUOTE_BATCH_TYPE,
    PlaceTrigger: PLACE_TRIGGER_TYPE,
    CancelTrigger: CANCEL_TRIGGER_TYPE,
    Withdraw: WITHDRAW_TYPE,
    SetProtection: SET_PROTECTION_TYPE,
    ResetProtection: RESET_PROTECTION_TYPE,
    SetDeadMan: SET_DEAD_MAN_TYPE,
    SetMarginMode: SET_MARGIN_MODE_TYPE,
    Transfer: TRANSFER_TYPE,
    PositionTransfer: POSITION_TRANSFER_TYPE,
    GrantSession: GRANT_SESSION_TYPE,
    RevokeSession: REVOKE_SESSION_TYPE,
    CreateCombo: CREATE_COMBO_TYPE,
    AcceptQuote: ACCEPT_QUOTE_TYPE,
    RfqQuote: RFQ_QUOTE_TYPE,
    BlockTrade: BLOCK_TRADE_TYPE,
    AuctionBid: AUCTION_BID_TYPE,
    BuyCollateral: BUY_COLLATERAL_TYPE,
}
"""The struct that a trader signs for each command, or to quote; a member's name is the field's."""

_INDEX_PRICE_HASH, _FORWARD_CURVE_HASH, _SURFACE_SLICE_HASH, _VOL_SURFACE_HASH = (
    keccak(text.encode())
    for text in (INDEX_PRICE_TYPE, FORWARD_CURVE_TYPE, SURFACE_SLICE_TYPE, VOL_SURFACE_TYPE)
)


class StructEncoder:
    """Hashes structs of one type; members are read from attributes of the same name."""

    def __init__(self, text: str) -> None:
        types = parse_type(text)
        name = next(iter(types))
        self.type_hash = keccak(text.encode())
        self.members = [
            (attribute_of(m["name"]), encoder_of(types, m["type"])) for m in types[name]
        ]

    def hash(self, struct: Any) -> bytes:
        encoded = [encode(getattr(struct, attribute)) for attribute, encode in self.members]
        return keccak(self.type_hash + b"".join(encoded))


def encoder_of(types: Mapping[str, Any], kind: str) -> Callable[[Any], bytes]:
    """Return what makes 32 bytes of a member of a type."""
    if kind.endswith("[]"):
        encode = encoder_of(types, kind[:-2])
        return lambda items: keccak(b"".join([encode(item) for item in items]))
    if kind in types:
        return StructEncoder(encode_type(types, kind)).hash
    if kind == "address":
        return lambda value: bytes(12) + value
    if kind.startswith("bytes"):
        return lambda value: value.ljust(32, b"\0")
    return word


def encode_type(types: Mapping[str, Any], name: str) -> str:
    """Return a struct's type string: its members, then the structs within, by name."""
    within: set[str] = set()
    waiting = [name]
    while waiting:
        members = types[waiting.pop()]
        found = {m["type"].removesuffix("[]") for m in members} & types.keys() - within
        within |= found
        waiting += found
    parts: list[str] = []
    for kind in (name, *sorted(within - {name})):
        members = ",".join(f"{m['type']} {m['name']}" for m in types[kind])
        parts.append(f"{kind}({members})")
    return "".join(parts)


@cache
def _encoder(command_type: type[TraderCommand | RfqQuote]) -> StructEncoder:
    return StructEncoder(COMMAND_TYPES[command_type])


def attribute_of(name: str) -> str:
    """Return the Python name of a member: `expiresNs` is `expires_ns`."""
    return "".join("_" + letter.lower() if letter.isupper() else letter for letter in name)


def index_price_digest(
    separator: bytes, underlying: int, published_ns: int, price_atoms: int
) -> bytes:
    """Return what one publisher signs for an index price."""
    return digest(
        separator, keccak(_INDEX_PRICE_HASH + words(underlying, published_ns, price_atoms))
    )


def forward_curve_digest(
    separator: bytes,
    underlying: int,
    published_ns: int,
    expiries_ns: Sequence[int],
    forwards_atoms: Sequence[int],
) -> bytes:
    """Return what one publisher signs for its forwards."""
    lists = keccak(words(*expiries_ns)) + keccak(words(*forwards_atoms))
    return digest(separator, keccak(_FORWARD_CURVE_HASH + words(underlying, published_ns) + lists))


def vol_surface_digest(
    separator: bytes, underlying: int, published_ns: int, slices: Sequence[SurfaceSlice]
) -> bytes:
    """Return what every publisher of a quorum signs for a surface."""
    hashes = [
        keccak(_SURFACE_SLICE_HASH + words(s.expiry_ns, s.a, s.b, s.rho, s.m, s.sigma))
        for s in slices
    ]
    head = words(underlying, published_ns)
    return digest(separator, keccak(_VOL_SURFACE_HASH + head + keccak(b"".join(hashes))))


def oracle_digests(
    separator: bytes, command: IndexPrice | ForwardCurve | VolSurface
) -> list[bytes]:
    """Return the digest that each publisher of an oracle command signed, in order."""
    head = (separator, command.underlying, command.published_ns)
    if isinstance(command, IndexPrice):
        return [index_price_digest(*head, o.price_atoms) for o in command.observations]
    if isinstance(command, ForwardCurve):
        return [
            forward_curve_digest(*head, command.expiries_ns, o.forwards_atoms)
            for o in command.observations
        ]
    return [vol_surface_digest(*head, command.slices)] * len(command.signatures)


def parse_type(text: str) -> dict[str, list[dict[str, str]]]:
    """Return an encoded type string as wallets want it: type name to members."""
    types: dict[str, list[dict[str, str]]] = {}
    for part in text.split(")")[:-1]:
        name, members = part.split("(")
        pairs = (member.split(" ") for member in members.split(","))
        types[name] = [{"name": name, "type": kind} for kind, name in pairs]
    return types


def typed_data(chain_id: int, contract: bytes, command: TraderCommand | RfqQuote) -> dict[str, Any]:
    """Return the JSON that `eth_signTypedData_v4` takes for a trader's command."""
    text = COMMAND_TYPES[type(command)]
    types = parse_type(DOMAIN_TYPE) | parse_type(text)
    primary = type(command).__name__
    return {
        "types": types,
        "primaryType": primary,
        "domain": {
            "name": DOMAIN_NAME,
            "version": DOMAIN_VERSION,
            "chainId": chain_id,
            "verifyingContract": "0x" + contract.hex(),
        },
        "message": _message(types, primary, command),
    }


def _message_value(types: Mapping[str, Any], kind: str, value: Any) -> Any:
    """Return a member as JSON."""
    if kind.endswith("[]"):
        return [_message_value(types, kind[:-2], item) for item in value]
    if kind in types:
        return _message(types, kind, value)
    if isinstance(value, bytes):
        return "0x" + value.hex()
    return value if kind == "bool" else int(value)


def _message(types: Mapping[str, Any], name: str, struct: Any) -> dict[str, Any]:
    return {
        m["name"]: _message_value(types, m["type"], getattr(struct, attribute_of(m["name"])))
        for m in types[name]
    }
