"""A venue whole: a node, the deposits that come in, the settlement that carries it to a chain."""

import asyncio
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import structlog

from proofbook.api.signing import Key
from proofbook.chain.errors import ChainFault
from proofbook.chain.rpc import AsyncRpc
from proofbook.ingress.connections import ConnectionLimits
from proofbook.kernel import Kernel
from proofbook.node import Node, NodeSettings, Service, open_node
from proofbook.operation.configuration import ChainSection, Configuration, RatesSection
from proofbook.operation.errors import OperatorDisagrees
from proofbook.operation.follower import keep_history, keep_snapshots
from proofbook.operation.key_file import read_key
from proofbook.operation.market import Market
from proofbook.protocol.engine import Engine
from proofbook.protocol.limits import NS_PER_SECOND, ArenaId
from proofbook.protocol.records import GlobalRecord
from proofbook.recovery.recover import ChainHashAt, restore_state
from proofbook.sequencer.clock import Clock, SystemClock
from proofbook.sequencer.inclusion import Inclusion
from proofbook.sequencer.prices import PriceIntake
from proofbook.sequencer.rates import Rate, RateLimits
from proofbook.settlement.confirmations import Confirmation
from proofbook.settlement.deployment import Deployment, find_deployment
from proofbook.settlement.deposits import DepositSettings, DepositWatcher
from proofbook.settlement.errors import DevelopmentKeyRefused, SettlementFault
from proofbook.settlement.settlement import Settlement, SettlementSettings
from proofbook.settlement.transactions import (
    DEVELOPMENT_CHAIN_ID,
    DEVELOPMENT_KEYS,
    Patience,
    Sender,
)

_log = structlog.get_logger()


@dataclass(frozen=True)
class Operation:
    """Everything that runs for a venue."""

    configuration: Configuration
    deployment: Deployment
    node: Node
    settlement: Settlement
    deposits: DepositWatcher

    @property
    def services(self) -> list[Service]:
        """What runs beside the node."""
        services: list[Service] = [
            lambda _: self.deposits.run(),
            lambda _: self.settlement.run(),
        ]
        prices = self.node.doors.prices
        if prices is not None:
            services.append(lambda _: prices.run())
            services.append(lambda _: self.market.keep_marking())
        if self.configuration.listing.every_seconds:
            services.append(lambda _: self.market.keep_listing())
        if self.configuration.history.follow:
            services.append(lambda _: keep_history(self.configuration))
        if self.configuration.snapshots.every:
            services.append(lambda _: keep_snapshots(self.configuration))
        return services

    @cached_property
    def market(self) -> Market:
        """Who lists and marks."""
        section = self.configuration
        return Market(self.node, section.listing, section.prices.mark_seconds)

    async def run(self) -> None:
        """Serve until cancelled."""
        await self.node.run(self.services)

    async def drain(self) -> None:
        """Take no more commands, commit and answer what waits, and bring it on chain.

        What the chain does not take in time is there after the next start: nothing is lost.
        """
        await self.node.drain()
        try:
            async with asyncio.timeout(self.configuration.drain.settle_seconds_max):
                await self.settlement.settle_all()
        except TimeoutError:
            _log.warning("drain.unsettled", reason="the chain took too long")
        except (ChainFault, SettlementFault) as fault:
            _log.warning("drain.unsettled", reason=str(fault))
        else:
            _log.info("drain.settled", seq=self.node.engine.seq)


async def open_operation(configuration: Configuration, rpc: AsyncRpc) -> Operation:
    """Return the venue of a configuration, its journal replayed and held to the chain.

    Raises ConfigurationFault, SettlementFault, ChainFault, JournalFault.
    """
    chain, sequencer = configuration.chain, configuration.sequencer
    operator_key = read_key("chain.operator_key_file", Path(chain.operator_key_file))
    sequencer_key = read_key("sequencer.key_file", Path(sequencer.key_file))
    deployment = await find_deployment(rpc, bytes.fromhex(chain.contract[2:]))
    patience = Patience(price_max_wei=chain.price_max_wei or None)
    operator = Sender(rpc, operator_key, deployment.chain_id, patience)
    if operator.address != deployment.operator:
        raise OperatorDisagrees(operator.address, deployment.operator)
    key = Key(sequencer_key)
    if sequencer_key in DEVELOPMENT_KEYS and deployment.chain_id != DEVELOPMENT_CHAIN_ID:
        raise DevelopmentKeyRefused(key.address, deployment.chain_id)
    operation = compose(configuration, deployment, operator, key, SystemClock())
    node = operation.node
    try:
        await operation.settlement.check_journal()
    except BaseException:
        node.close()
        raise
    node.doors.prices = PriceIntake(node.sequencer, configuration.prices.gather_seconds)
    return operation


def compose(
    configuration: Configuration, deployment: Deployment, operator: Sender, key: Key, clock: Clock
) -> Operation:
    """Return the parts of a venue put together. Raises JournalFault."""
    origin = deployment.genesis, deployment.chain_id, deployment.chain
    engine = Kernel(*origin)
    settings = node_settings(configuration, deployment, key, clock)
    node = open_node(settings, engine, engine)
    chain = configuration.chain
    settlement = Settlement(
        operator.rpc,
        deployment,
        operator,
        node.journal,
        partial(engine_before, deployment, settings.snapshots, node.journal.chain_hash),
        SettlementSettings(chain.append_seconds, chain.appends_per_claim_max, chain.claim_every),
        node.appended,
    )
    deposits = DepositWatcher(
        operator.rpc,
        deployment,
        partial(inbox_position, engine),
        node.sequencer.submit,
        clock.now_ns,
        DepositSettings(confirmation_of(chain), chain.look_seconds),
        node.saw_chain,
    )
    return Operation(configuration, deployment, node, settlement, deposits)


def engine_before(
    deployment: Deployment, snapshots: Path | None, chain_hash_at: ChainHashAt, seq: int
) -> Kernel:
    """Return an engine as near before an entry as snapshots go; at genesis without them.

    Raises JournalBehindSnapshot, JournalFault.
    """
    engine = Kernel(deployment.genesis, deployment.chain_id, deployment.chain)
    if snapshots is not None and seq:
        restore_state(engine, snapshots, chain_hash_at, seq)
    return engine


def node_settings(
    configuration: Configuration, deployment: Deployment, key: Key, clock: Clock
) -> NodeSettings:
    """Return what a configuration and a deployment say of a node."""
    sequencer, interface = configuration.sequencer, configuration.interface
    snapshots = configuration.snapshots
    return NodeSettings(
        journal=Path(sequencer.journal),
        chain_id=deployment.chain_id,
        contract=deployment.chain,
        key=key,
        epoch=sequencer.epoch,
        host=interface.host,
        port=interface.port,
        clock=clock,
        inclusion=Inclusion(
            sequencer.promise_seconds * NS_PER_SECOND,
            sequencer.promise_append_seconds * NS_PER_SECOND,
            sequencer.promise_seconds_max * NS_PER_SECOND,
        ),
        watches_chain=True,
        history=configuration.history.database,
        snapshots=Path(snapshots.folder) if snapshots.every else None,
        connections=ConnectionLimits(
            interface.connections_max,
            interface.connections_per_address_max,
            interface.request_seconds_max,
            interface.subscriptions_max,
            interface.subscriptions_per_address_max,
            interface.outbox_bytes_max,
        ),
        rates=rate_limits(configuration.rates),
        receipts_kept=sequencer.receipts_kept,
        notices_kept=interface.notices_kept,
    )


def rate_limits(rates: RatesSection) -> RateLimits:
    """Return how often somebody may act."""
    return RateLimits(
        Rate(rates.orders_per_second, rates.orders_burst),
        Rate(rates.cancels_per_second, rates.cancels_burst),
        Rate(rates.requests_per_second, rates.requests_burst),
        Rate(rates.invalid_signatures_per_second, rates.invalid_signatures_burst),
    )


def confirmation_of(chain: ChainSection) -> Confirmation:
    """Return which blocks are believed."""
    quiet_seconds_max = chain.quiet_seconds_max or None
    if chain.finality == "blocks":
        return Confirmation(chain.confirmations, quiet_seconds_max=quiet_seconds_max)
    return Confirmation(tag=chain.finality, quiet_seconds_max=quiet_seconds_max)


def inbox_position(engine: Engine) -> int:
    """Return how many requests of the inbox the state machine has executed."""
    return GlobalRecord.unpack(engine.read(ArenaId.GLOBAL, 0)).inbox_position
