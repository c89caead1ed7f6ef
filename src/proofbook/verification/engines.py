"""The two engines by which a chain can be replayed."""

from enum import StrEnum

from proofbook.protocol.engine import Engine


class EngineName(StrEnum):
    """Which program replays: the fast one in Rust, or the reference in Python."""

    KERNEL = "kernel"
    SPEC = "spec"


def make_engine(name: EngineName, genesis: bytes, chain_id: int, contract: bytes) -> Engine:
    """Return the engine at genesis. Raises Malformed when the genesis bytes are none."""
    # Imported here: the reference runs where the extension is not built.
    if name is EngineName.SPEC:
        from proofbook.spec.transition import State

        return State(genesis, chain_id, contract)
    from proofbook.kernel import Kernel

    return Kernel(genesis, chain_id, contract)
