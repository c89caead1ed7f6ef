"""What happens to an entry before its command is looked at: encoding, order, signature, nonce."""

from dataclasses import replace

import pytest

from proofbook.protocol import eip712
from proofbook.protocol.commands import Cancel, CancelAll, Place, Tick
from proofbook.protocol.entry import Entry
from proofbook.protocol.hashing import keccak
from proofbook.protocol.limits import WINDOW_NS_MAX, ArenaId, Side
from proofbook.protocol.records import SignerRecord
from proofbook.simulator.inspection import account, header
from proofbook.simulator.scene import Scene, key_of
from proofbook.simulator.workload import compact_signature

BUY = Side.BUY


def signed(
    scene: Scene, command: Place | Cancel | CancelAll, signer: str, session: int = 0
) -> Entry:
    """An entry in a window of its own, right after the last one."""
    window_ns = scene.window_ns + 10**6
    digest = eip712.command_digest(scene.separator, command)
    return Entry(window_ns, window_ns, command, session, compact_signature(key_of(signer), digest))


def signer_record(scene: Scene, name: str) -> SignerRecord:
    slot = account(scene, name).signers[0]
    return SignerRecord.unpack(scene.engine.read(ArenaId.SIGNERS, slot))


def test_void_changes_only_seq_and_void_count(scene: Scene) -> None:
    before = header(scene)
    assert scene.submit_bytes(b"\x05\x00hello").name == "VOID_MALFORMED"
    after = header(scene)
    assert (after.seq, after.void_count) == (before.seq + 1, before.void_count + 1)
    before.seq, before.void_count = after.seq, after.void_count
    assert after.pack() == before.pack()


@pytest.mark.parametrize("cut", [0, 1, 17, 18, 19])
def test_truncated_entry_is_void(scene: Scene, cut: int) -> None:
    assert scene.submit_bytes(signed_tick(scene)[:cut]).name == "VOID_MALFORMED"


def signed_tick(scene: Scene) -> bytes:
    window_ns = scene.window_ns + 1
    return Entry(window_ns, window_ns, Tick(0)).encode()


def test_byte_after_the_command_is_void(scene: Scene) -> None:
    data = bytearray(signed_tick(scene) + b"\x00")
    data[0] += 1
    assert scene.submit_bytes(bytes(data)).name == "VOID_MALFORMED"


def test_unknown_tag_is_void(scene: Scene) -> None:
    data = bytearray(signed_tick(scene))
    data[18] = 0x7F
    assert scene.submit_bytes(bytes(data)).name == "VOID_MALFORMED"


def test_unknown_enumerator_is_void(scene: Scene, perpetual: int) -> None:
    command = Place(scene.accounts["ann"], 1, 10**19, perpetual, BUY, 5, 1, max_fee_ppm=500)
    from_the_end = {
        "side": 31,
        "order_type": 30,
        "time_in_force": 17,
        "flags": 16,
        "self_trade": 15,
    }
    for distance in from_the_end.values():
        data = bytearray(signed(scene, command, "ann").encode())
        data[-distance] = 0xFF
        assert scene.submit_bytes(bytes(data)).name == "VOID_MALFORMED"


def test_window_that_falls_is_void(scene: Scene) -> None:
    stale = Entry(scene.window_ns - 1, scene.window_ns - 1, Tick(0))
    assert scene.submit_bytes(stale.encode()).name == "VOID_ORDER_REGRESSED"


def test_received_outside_its_window_is_void(scene: Scene) -> None:
    window_ns = scene.window_ns + 10
    late = Entry(window_ns, window_ns + 1, Tick(0))
    early = Entry(window_ns, scene.window_ns, Tick(0))
    assert scene.submit_bytes(late.encode()).name == "VOID_ORDER_REGRESSED"
    assert scene.submit_bytes(early.encode()).name == "VOID_ORDER_REGRESSED"


@pytest.mark.parametrize(
    ("window_ns", "name"),
    [(WINDOW_NS_MAX, "APPLIED"), (WINDOW_NS_MAX + 1, "VOID_ORDER_REGRESSED")],
)
def test_window_after_which_times_would_not_fit_is_void(
    scene: Scene, window_ns: int, name: str
) -> None:
    """Who ends an append with a void entry can stamp the others as he likes."""
    assert scene.submit_bytes(Entry(window_ns, window_ns, Tick(0)).encode()).name == name


def test_class_that_falls_within_a_window_is_void(scene: Scene, perpetual: int) -> None:
    with scene.window():
        assert scene.place("ann", perpetual, BUY, 800_000, 1).is_applied
        assert scene.cancel("bob", 1).name == "VOID_ORDER_REGRESSED"


def test_own_cancel_after_own_order_keeps_its_place(scene: Scene, perpetual: int) -> None:
    with scene.window():
        order = scene.resting("ann", perpetual, BUY, 799_999, 1)
        assert scene.cancel("ann", order).is_applied


def test_wrong_signer_is_void(scene: Scene) -> None:
    command = CancelAll(scene.accounts["ann"], 1, 10**19)
    assert scene.submit_bytes(signed(scene, command, "bob").encode()).name == "VOID_SIGNER_MISMATCH"


def test_changed_command_under_its_old_signature_is_void(scene: Scene, perpetual: int) -> None:
    command = Place(scene.accounts["ann"], 1, 10**19, perpetual, BUY, 5, 1, max_fee_ppm=500)
    entry = signed(scene, command, "ann")
    changed = replace(entry, command=replace(command, price_ticks=6))
    assert scene.submit_bytes(changed.encode()).name == "VOID_SIGNER_MISMATCH"


def test_high_s_is_void(scene: Scene) -> None:
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    entry = signed(scene, CancelAll(scene.accounts["ann"], 1, 10**19), "ann")
    packed = int.from_bytes(entry.signature[32:], "big")
    flipped = (packed >> 255 ^ 1) << 255 | order - (packed & (1 << 255) - 1)
    high = replace(
        entry, signature=entry.signature[:32] + (flipped % (1 << 256)).to_bytes(32, "big")
    )
    assert scene.submit_bytes(high.encode()).name == "VOID_SIGNER_MISMATCH"


def test_unknown_account_is_rejected_without_a_signature_check(scene: Scene) -> None:
    entry = signed(scene, CancelAll(77, 1, 10**19), "ann")
    assert scene.submit_bytes(entry.encode()).name == "ACCOUNT_NOT_FOUND"


@pytest.mark.parametrize("session", [1, 7, 8, 255])
def test_unknown_session_is_rejected(scene: Scene, session: int) -> None:
    entry = signed(scene, CancelAll(scene.accounts["ann"], 1, 10**19), "ann", session)
    assert scene.submit_bytes(entry.encode()).name == "SESSION_NOT_FOUND"


def test_expired_message_is_rejected_and_keeps_its_nonce(scene: Scene) -> None:
    command = CancelAll(scene.accounts["ann"], 1, scene.window_ns)
    assert scene.submit_bytes(signed(scene, command, "ann").encode()).name == "MESSAGE_EXPIRED"
    assert signer_record(scene, "ann").nonce_highest == 0


def test_nonces_are_used_once_in_any_order(scene: Scene) -> None:
    story = (
        (300, "APPLIED"),
        (300, "NONCE_USED"),
        (45, "APPLIED"),
        (44, "NONCE_TOO_OLD"),
        (45, "NONCE_USED"),
        (0, "NONCE_TOO_OLD"),
        (301, "APPLIED"),
        (45, "NONCE_TOO_OLD"),
    )
    for nonce, expected in story:
        command = CancelAll(scene.accounts["ann"], nonce, 10**19)
        assert scene.submit(command, "ann").name == expected, nonce


def test_rejection_after_authorisation_consumes_the_nonce(scene: Scene) -> None:
    assert scene.cancel("ann", 5).name == "ORDER_NOT_FOUND"
    assert signer_record(scene, "ann").nonce_highest == 1


def test_root_changes_with_every_entry(scene: Scene) -> None:
    roots = set()
    for _ in range(5):
        scene.submit(Tick(0))
        roots.add(scene.engine.root())
    assert len(roots) == 5


@pytest.mark.parametrize("body", [b"\x00", b"\x04\x01\x02", b"\x01\x00", b"\x0b" + bytes(40)])
def test_a_request_that_cannot_be_read_is_consumed(scene: Scene, body: bytes) -> None:
    """Otherwise the chain would wait for it, and nothing could be appended for ever after."""
    before = header(scene)
    window_ns = scene.window_ns + 10**6
    length = len(body) + 16
    data = length.to_bytes(2, "little") + window_ns.to_bytes(8, "little") * 2 + body
    assert scene.submit_bytes(data).name == "REQUEST_UNREADABLE"
    after = header(scene)
    assert after.inbox_position == before.inbox_position + 1
    assert after.inbox_hash == keccak(before.inbox_hash + keccak(body))
    assert after.void_count == before.void_count
