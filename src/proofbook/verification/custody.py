"""Whether the vault counts its tokens as genesis does: a wrong scale would make money of dust."""

from proofbook.chain.contracts import DECIMALS, TOKEN_AT, TOKENS_COUNT, VaultToken
from proofbook.chain.rpc import Rpc
from proofbook.protocol.genesis import Genesis


def custody_flaw(rpc: Rpc, vault: bytes, genesis: Genesis, block: int) -> str | None:
    """Return how the vault's tokens differ from those of genesis, or None. Raises ChainFault."""
    named = genesis.named_tokens
    count = rpc.view(vault, TOKENS_COUNT, block=block)
    if count != len(named):
        return f"the vault holds {count} tokens, genesis names {len(named)}"
    rows = rpc.views([(vault, TOKEN_AT, (number,)) for number in range(count)], block)
    held = [VaultToken(*row) for row in rows]
    digits = rpc.views([(token.address, DECIMALS, ()) for token in held], block)
    for (symbol, decimals), token, on_chain in zip(named, held, digits, strict=True):
        if token.scale * 10**decimals != 10**on_chain:
            return (
                f"the vault counts {symbol} by {token.scale}: its contract has {on_chain}"
                f" decimals, genesis {decimals}"
            )
    return None
