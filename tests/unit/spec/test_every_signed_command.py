"""What holds for every command that a trader signs, whatever it says: drawn over all its fields."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests import strategies
from tests.unit.spec.conftest import ENGINES

from proofbook.protocol.commands import COMMANDS, TraderCommand, TwoPartyCommand
from proofbook.protocol.eip712 import command_digest, domain_separator
from proofbook.protocol.entry import Entry
from proofbook.protocol.limits import NONCE_WINDOW, SESSIONS_PER_ACCOUNT
from proofbook.simulator.inspection import header, signer
from proofbook.simulator.scene import USDC, Scene, key_of
from proofbook.simulator.workload import CHAIN_ID, CONTRACT, compact_signature

KINDS = sorted(
    (kind for kind in COMMANDS.values() if issubclass(kind, TraderCommand)),
    key=lambda kind: kind.__name__,
)
SINGLE = [kind for kind in KINDS if not issubclass(kind, TwoPartyCommand)]
HIGHEST = (1 << 64) - 1

few = settings(
    deadline=None, max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
every_single = pytest.mark.parametrize("kind", SINGLE, ids=lambda kind: kind.__name__)


@pytest.fixture(scope="module", params=list(ENGINES))
def venue(request: pytest.FixtureRequest) -> Scene:
    """A venue where ann has an account; its state grows from test to test."""
    scene = Scene(ENGINES[request.param])
    scene.deposit("ann", 1_000 * USDC)
    return scene


def drawn(scene: Scene, kind: type[Any], data: st.DataObject, **fields: Any) -> Any:
    """Return a command of ann's with a new nonce that does not expire, all else as it comes."""
    scene.nonces["ann"] = scene.nonces.get("ann", 0) + 1
    command = data.draw(strategies.COMMANDS[kind])
    own = {"account": scene.accounts["ann"], "nonce": scene.nonces["ann"], "expires_ns": HIGHEST}
    return replace(command, **own | fields)


def sent(
    scene: Scene, command: TraderCommand, separator: bytes, session: int = 0, name: str = "ann"
) -> str:
    """Post a command signed for a domain; return its outcome."""
    scene.window_ns += 10**6
    signature = compact_signature(key_of(name), command_digest(separator, command))
    entry = Entry(scene.window_ns, scene.window_ns, command, session, signature)
    return scene.submit_bytes(entry.encode()).name


def money_words(scene: Scene) -> tuple[int, int, int]:
    record = header(scene)
    return record.deposits_atoms, record.withdrawals_atoms, record.custody_atoms


def signer_words(scene: Scene) -> bytes:
    record = signer(scene, "ann")
    assert record is not None, "the owner has a key"
    return record.pack()


@every_kind
@few
@given(data=st.data())
def test_signed_for_another_chain_or_contract_it_is_void(
    venue: Scene, kind: type[Any], data: st.DataObject
) -> None:
    command = drawn(venue, kind, data)
    for separator in (domain_separator(1, CONTRACT), domain_separator(CHAIN_ID, b"\x01" * 20)):
        assert sent(venue, command, separator) == "VOID_SIGNER_MISMATCH"


@every_kind
@few
@given(data=st.data())
def test_signed_by_another_it_is_void(venue: Scene, kind: type[Any], data: st.DataObject) -> None:
    command = drawn(venue, kind, data)
    assert sent(venue, command, venue.separator, name="bob") == "VOID_SIGNER_MISMATCH"


@every_single
@few
@given(data=st.data())
def test_after_its_expiry_it_is_rejected_and_keeps_its_nonce(
    venue: Scene, kind: type[Any], data: st.DataObject
) -> None:
    command = drawn(venue, kind, data, expires_ns=venue.window_ns)
    before = signer_words(venue)
    assert sent(venue, command, venue.separator) == "MESSAGE_EXPIRED"
    assert signer_words(venue) == before


@every_single
@few
@given(data=st.data())
def test_it_is_executed_once(venue: Scene, kind: type[Any], data: st.DataObject) -> None:
    command = drawn(venue, kind, data)
    sent(venue, command, venue.separator)
    before = money_words(venue)
    assert sent(venue, command, venue.separator) == "NONCE_USED"
    assert money_words(venue) == before


@every_single
@few
@given(data=st.data(), below=st.integers(NONCE_WINDOW, 1 << 40))
def test_far_below_the_highest_nonce_it_is_rejected(
    venue: Scene, kind: type[Any], data: st.DataObject, below: int
) -> None:
    """Or without a number: nobody can tell any more whether it was used."""
    venue.nonces["ann"] = venue.nonces.get("ann", 0) + 2 * NONCE_WINDOW
    highest = drawn(venue, kind, data)
    assert sent(venue, highest, venue.separator) != "NONCE_USED"
    before = signer_words(venue)
    command = drawn(venue, kind, data, nonce=max(0, highest.nonce - below))
    assert sent(venue, command, venue.separator) == "NONCE_TOO_OLD"
    assert signer_words(venue) == before


@every_single
@few
@given(data=st.data(), account=st.integers(1_000, (1 << 32) - 1))
def test_of_an_account_that_is_not_there_it_is_rejected(
    venue: Scene, kind: type[Any], data: st.DataObject, account: int
) -> None:
    command = drawn(venue, kind, data, account=account)
    assert sent(venue, command, venue.separator) == "ACCOUNT_NOT_FOUND"


@every_single
@few
@given(data=st.data(), session=st.integers(SESSIONS_PER_ACCOUNT, 255))
def test_in_a_session_that_is_not_there_it_is_rejected(
    venue: Scene, kind: type[Any], data: st.DataObject, session: int
) -> None:
    command = drawn(venue, kind, data)
    assert sent(venue, command, venue.separator, session=session) == "SESSION_NOT_FOUND"
