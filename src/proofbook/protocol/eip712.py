"""EIP-712 digests of everything that a trader or a publisher signs.

Source  https://eips.ethereum.org/EIPS/eip-712; equality with eth-account is a test.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from proofbook.protocol.commands import (
    Cancel,
    CancelAll,
    ForwardCurve,
    IndexPrice,
    Place,
    SurfaceSlice,
    TraderCommand,
    VolSurface,
    Withdraw,
)
from proofbook.protocol.hashing import keccak

DOMAIN_NAME = "Proofbook"
DOMAIN_VERSION = "1"

DOMAIN_TYPE = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
PLACE_TYPE = (
    "Place(uint32 account,uint64 nonce,uint64 expiresNs,uint32 instrument,uint8 side,"
    "uint8 orderType,uint32 priceTicks,uint64 lots,uint8 timeInForce,bool postOnly,bool reduceOnly,"
    "uint8 selfTradePrevention,uint16 group,uint32 maxFeePpm,bytes8 label)"
)
CANCEL_TYPE = "Cancel(uint32 account,uint64 nonce,uint64 expiresNs,uint64 order)"
CANCEL_ALL_TYPE = "CancelAll(uint32 account,uint64 nonce,uint64 expiresNs)"
WITHDRAW_TYPE = (
    "Withdraw(uint32 account,uint64 nonce,uint64 expiresNs,uint8 token,address recipient,"
    "uint64 amountAtoms)"
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


def command_digest(separator: bytes, command: TraderCommand) -> bytes:
    """Return the digest of a trader's command."""
    return digest(separator, _STRUCT_HASHES[type(command)](command))


def word(number: int) -> bytes:
    """Return an integer as a 32-byte big-endian word, two's complement if negative."""
    return (number & (1 << 256) - 1).to_bytes(32, "big")


def words(*numbers: int) -> bytes:
    return b"".join([word(number) for number in numbers])


_PLACE_HASH, _CANCEL_HASH, _CANCEL_ALL_HASH, _WITHDRAW_HASH = (
    keccak(text.encode()) for text in (PLACE_TYPE, CANCEL_TYPE, CANCEL_ALL_TYPE, WITHDRAW_TYPE)
)
_INDEX_PRICE_HASH, _FORWARD_CURVE_HASH, _SURFACE_SLICE_HASH, _VOL_SURFACE_HASH = (
    keccak(text.encode())
    for text in (INDEX_PRICE_TYPE, FORWARD_CURVE_TYPE, SURFACE_SLICE_TYPE, VOL_SURFACE_TYPE)
)


def place_struct_hash(c: Place) -> bytes:
    numbers = words(
        c.account, c.nonce, c.expires_ns, c.instrument, c.side, c.order_type, c.price_ticks, c.lots,
        c.time_in_force, c.post_only, c.reduce_only, c.self_trade_prevention, c.group,
        c.max_fee_ppm,
    )  # fmt: skip
    return keccak(_PLACE_HASH + numbers + c.label + bytes(24))


def cancel_struct_hash(c: Cancel) -> bytes:
    return keccak(_CANCEL_HASH + words(c.account, c.nonce, c.expires_ns, c.order))


def cancel_all_struct_hash(c: CancelAll) -> bytes:
    return keccak(_CANCEL_ALL_HASH + words(c.account, c.nonce, c.expires_ns))


def withdraw_struct_hash(c: Withdraw) -> bytes:
    recipient = int.from_bytes(c.recipient, "big")
    numbers = words(c.account, c.nonce, c.expires_ns, c.token, recipient, c.amount_atoms)
    return keccak(_WITHDRAW_HASH + numbers)


_STRUCT_HASHES: Mapping[type, Callable[[Any], bytes]] = {
    Place: place_struct_hash,
    Cancel: cancel_struct_hash,
    CancelAll: cancel_all_struct_hash,
    Withdraw: withdraw_struct_hash,
}


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


def typed_data(chain_id: int, contract: bytes, command: TraderCommand) -> dict[str, Any]:
    """Return the JSON that `eth_signTypedData_v4` takes for a trader's command."""
    text = {
        Place: PLACE_TYPE,
        Cancel: CANCEL_TYPE,
        CancelAll: CANCEL_ALL_TYPE,
        Withdraw: WITHDRAW_TYPE,
    }[type(command)]
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
        "message": {member["name"]: _message_value(command, member) for member in types[primary]},
    }


def _message_value(command: TraderCommand, member: dict[str, str]) -> Any:
    attribute = "".join("_" + c.lower() if c.isupper() else c for c in member["name"])
    value = getattr(command, attribute)
    if isinstance(value, bytes):
        return "0x" + value.hex()
    return value if isinstance(value, bool) else int(value)
