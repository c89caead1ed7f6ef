"""State 0, from the canonical bytes that Chain's constructor emits and hashes."""

from proofbook.protocol.eip712 import domain_separator
from proofbook.protocol.genesis import Genesis, TokenTerms, UnderlyingGrid
from proofbook.protocol.limits import FEE_ACCOUNT, FUND_ACCOUNT
from proofbook.spec import accumulator
from proofbook.spec.governance import write_grid, write_margin_terms, write_parameters, write_terms
from proofbook.spec.world import PARAMETERS_SLOT, World, add_account

FIRST_VERSION = 1
"""Of margin parameters, publishers and terms, and of the global record's count of changes."""


def world_from_genesis(data: bytes, chain_id: int, contract: bytes) -> World:
    """Return state 0. Raises Malformed for bytes that are no canonical genesis."""
    genesis = Genesis.decode(data)
    world = World()
    header = world.header
    header.protocol_version = genesis.protocol_version
    header.parameter_version = FIRST_VERSION
    header.genesis_ns = genesis.genesis_ns
    header.window_ns = header.previous_window_ns = header.last_received_ns = genesis.genesis_ns
    header.interest_ns = genesis.genesis_ns
    header.image_hash = genesis.image_hash
    header.domain_separator = domain_separator(chain_id, contract)
    header.withdrawal_root = accumulator.EMPTY_ROOT
    assert world.parameters.allocate()[0] == PARAMETERS_SLOT
    write_parameters(world, FIRST_VERSION, genesis.parameters)
    for address in genesis.publishers:
        _, publisher = world.publishers.allocate()
        publisher.version, publisher.address = FIRST_VERSION, address
    for grid in genesis.underlyings:
        _add_underlying(world, grid)
    for token in genesis.tokens:
        _add_token(world, token)
    assert add_account(world, genesis.fund_owner, 0) == FUND_ACCOUNT
    assert add_account(world, genesis.fee_owner, 0) == FEE_ACCOUNT
    return world


def _add_underlying(world: World, grid: UnderlyingGrid) -> None:
    _, record = world.underlyings.allocate()
    record.symbol = grid.symbol.encode().ljust(8, b"\0")
    record.version = FIRST_VERSION
    write_grid(record, grid.quorum, grid.strike_step_atoms, grid.tick_table)
    write_margin_terms(record, grid.margin)
    for place, terms in enumerate(grid.terms):
        write_terms(record, place, terms)


def _add_token(world: World, token: TokenTerms) -> None:
    _, record = world.tokens.allocate()
    record.symbol = token.symbol.encode().ljust(8, b"\0")
    record.version = FIRST_VERSION
    record.underlying, record.decimals = token.underlying, token.decimals
    record.haircut_ppm, record.cap_atoms = token.haircut_ppm, token.cap_atoms
