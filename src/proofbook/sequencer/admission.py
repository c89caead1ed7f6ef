"""Checks before an entry gets a seq: all that would make it VOID, and cheap certain rejections.

A seq costs bytes on chain for ever, so spam must not get one; and a VOID entry costs the sequencer
its bond.
"""

from collections.abc import Sequence
from functools import cache
from struct import error as PackingError
from typing import Protocol

from proofbook.api.errors import Refusal, Refused
from proofbook.api.signing import recover
from proofbook.protocol.commands import (
    SIGNATURE_BYTES,
    Amend,
    Cancel,
    CancelAll,
    Command,
    Malformed,
    OracleCommand,
    Party,
    Place,
    QuoteBatch,
    VolSurface,
)
from proofbook.protocol.eip712 import command_digest, oracle_digests
from proofbook.protocol.engine import Engine
from proofbook.protocol.entry import UNSIGNED, Entry, command_bytes, parties
from proofbook.protocol.limits import (
    NONCE_WINDOW,
    SESSIONS_PER_ACCOUNT,
    ArenaId,
    Reject,
)
from proofbook.protocol.records import AccountRecord, PublisherRecord, SignerRecord
from proofbook.protocol.scopes import action_rejection

NOBODY = bytes(20)
LABEL_BYTES = 8
EXACT = (Amend, Cancel, CancelAll, Place, QuoteBatch)
"""Commands whose bytes say all of them, given a label and a signature of the right size."""


class Gate(Protocol):
    """An engine that judges commands by their bytes, many times faster than what is written here.

    What it says yes to is good for certain; of anything else it is asked here, and told why.
    """

    def admits(self, command: bytes, now_ns: int) -> bool:
        """Whether a command is good now: account, session, expiry, nonce, scope, signature."""
        ...

    def are_fresh(self, commands: Sequence[bytes], window_ns: int) -> bool:
        """Whether the commands of a window, in order of receipt, are all good when it closes."""
        ...


def admit(
    engine: Engine,
    separator: bytes,
    now_ns: int,
    command: Command,
    session: int = 0,
    signature: bytes = UNSIGNED,
) -> bytes:
    """Return the canonical bytes of a command that may be sequenced. Raises Refused."""
    gate = gate_of(engine)
    if gate is not None and is_exact(command, signature):
        body = _packed(command, session, signature)
        if body is not None and gate.admits(body, now_ns):
            return body
    body = canonical_body(command, session, signature)
    for party in parties(Entry(0, 0, command, session, signature)):
        signer = signer_of(engine, party.account, party.session)
        check_signature(separator, party, signer)
        check_expiry(party.expires_ns, now_ns)
        check_action(command, party.session, signer, now_ns)
        check_nonce(party.nonce, signer)
    if isinstance(command, OracleCommand):
        check_publishers(engine, separator, command)
    return body


def gate_of(engine: Engine) -> Gate | None:
    """Return an engine that judges commands by their bytes, if it does."""
    return engine if _is_gate(type(engine)) else None  # type: ignore[return-value]


@cache
def _is_gate(engine_type: type[Engine]) -> bool:
    return all(hasattr(engine_type, name) for name in ("admits", "are_fresh"))


def _packed(command: Command, session: int, signature: bytes) -> bytes | None:
    try:
        return command_bytes(command, session, signature)
    except (PackingError, ValueError):
        return None


def is_exact(command: Command, signature: bytes) -> bool:
    """Whether nothing of a command is cut or filled up in its bytes."""
    is_whole = not isinstance(command, Place) or len(command.label) == LABEL_BYTES
    return is_whole and isinstance(command, EXACT) and len(signature) == SIGNATURE_BYTES


def canonical_body(command: Command, session: int, signature: bytes) -> bytes:
    """Return tag, session, signature and fields. Raises Refused unless they decode to the same."""
    try:
        body = command_bytes(command, session, signature)
        entry = Entry(0, 0, command, session, signature)
        is_same = Entry.decode(entry.encode()) == entry
    except (Malformed, PackingError, ValueError) as fault:
        raise Refused(Refusal.MALFORMED, f"{command.TAG.name} cannot be encoded: {fault}") from None
    if not is_same:
        raise Refused(Refusal.MALFORMED, f"{command.TAG.name} has a field of the wrong size")
    return body


def signer_of(engine: Engine, account: int, session: int) -> SignerRecord:
    """Return the key that may sign for a session of an account. Raises Refused."""
    owner = account_record(engine, account)
    if session >= SESSIONS_PER_ACCOUNT or not owner.signers[session]:
        raise Refused(
            Reject.SESSION_NOT_FOUND, f"account {account} has no session {session}", session
        )
    return SignerRecord.unpack(engine.read(ArenaId.SIGNERS, owner.signers[session]))


def account_record(engine: Engine, account: int) -> AccountRecord:
    """Return an account that exists. Raises Refused."""
    is_slot = 0 < account < 1 << AccountRecord.CAPACITY_LOG2
    record = AccountRecord.unpack(engine.read(ArenaId.ACCOUNTS, account)) if is_slot else None
    if record is None or record.owner == NOBODY:
        raise Refused(Reject.ACCOUNT_NOT_FOUND, f"account {account} does not exist", account)
    return record


def check_signature(separator: bytes, party: Party, signer: SignerRecord) -> None:
    """Refuse a signature that is not the session's, naming both addresses."""
    recovered = recover(command_digest(separator, party.signed), party.signature)
    if recovered != signer.address:
        who = "nobody" if recovered is None else "0x" + recovered.hex()
        expected = "0x" + signer.address.hex()
        message = f"signature recovers to {who}, must be {expected}; compare with method debug"
        raise Refused(Refusal.SIGNATURE_INVALID, message, who, expected)


def check_expiry(expires_ns: int, now_ns: int) -> None:
    """Refuse a message that has expired."""
    if now_ns > expires_ns:
        message = f"message expired at {expires_ns} ns, it is {now_ns} ns"
        raise Refused(Reject.MESSAGE_EXPIRED, message, expires_ns, now_ns)


def check_action(command: Command, session: int, signer: SignerRecord, now_ns: int) -> None:
    """Refuse what a session may not do, or not any more; the owner may do everything."""
    rejection = action_rejection(signer, session, command, now_ns)
    if rejection is Reject.SESSION_EXPIRED:
        message = f"session {session} expired at {signer.expires_ns} ns, it is {now_ns} ns"
        raise Refused(rejection, message, signer.expires_ns, now_ns)
    if rejection is not None:
        message = f"session {session} may not send {command.TAG.name}"
        raise Refused(rejection, message, signer.actions, command.TAG.name)


def check_nonce(nonce: int, signer: SignerRecord) -> None:
    """Refuse a nonce that is used already, or too old to tell."""
    below = signer.nonce_highest - nonce
    if nonce == 0 or below >= NONCE_WINDOW:
        lowest = max(1, signer.nonce_highest - NONCE_WINDOW + 1)
        message = f"nonce was {nonce}, must be >= {lowest}"
        raise Refused(Reject.NONCE_TOO_OLD, message, nonce, lowest)
    if below >= 0 and int.from_bytes(signer.nonce_bitmap, "little") >> below & 1:
        message = f"nonce {nonce} is used, the highest is {signer.nonce_highest}"
        raise Refused(Reject.NONCE_USED, message, nonce, signer.nonce_highest)


def check_nonce_range(session: int, nonce: int, now_ns: int) -> None:
    """Refuse a session's nonce above the time; the owner's may be any."""
    if session and nonce > now_ns:
        message = f"nonce of a session was {nonce}, must be <= the time in ns, {now_ns}"
        raise Refused(Reject.NONCE_OUT_OF_RANGE, message, nonce, now_ns)


def check_publishers(engine: Engine, separator: bytes, command: OracleCommand) -> None:
    """Refuse an oracle command in which a publisher's signature is not its own."""
    signed = command.signatures if isinstance(command, VolSurface) else command.observations
    for row, signing_digest in zip(signed, oracle_digests(separator, command), strict=True):
        publisher = read_publisher(engine, row.publisher)
        if publisher is None:
            message = f"publisher {row.publisher} does not exist"
            raise Refused(Reject.PUBLISHER_NOT_FOUND, message, row.publisher)
        if recover(signing_digest, row.signature) != publisher.address:
            message = f"the signature of publisher {row.publisher} is not its own"
            raise Refused(Refusal.SIGNATURE_INVALID, message, row.publisher)


def read_publisher(engine: Engine, slot: int) -> PublisherRecord | None:
    """Return a publisher, or None if there is none in the slot."""
    if not 0 < slot < 1 << PublisherRecord.CAPACITY_LOG2:
        return None
    record = PublisherRecord.unpack(engine.read(ArenaId.PUBLISHERS, slot))
    return None if record.address == NOBODY else record
