"""A state of the reference as a snapshot of the kernel, so that both can look at one state."""

from proofbook.protocol.limits import ArenaId
from proofbook.spec.world import World

MAGIC = b"PBKSNAP1"


def snapshot_of(world: World) -> bytes:
    """Return the words of a state under its root."""
    data = MAGIC + world.root()
    for arena in ArenaId:
        words = world.header.pack() if arena == ArenaId.GLOBAL else arena_words(world, arena)
        kept = words.rstrip(b"\0")
        count = -(-len(kept) // 32)
        data += count.to_bytes(4, "little") + words[: count * 32]
    return data


def arena_words(world: World, arena: ArenaId) -> bytes:
    """Return every word of an arena up to the last slot ever used."""
    records = world.arenas[arena]
    return b"".join(records.packed(slot) for slot in range(records.high_water))
