"""The loop that carries the journal to the chain, and withdrawals out of the vault."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from proofbook.chain.contracts import APPEND_AT, CLAIM, CLAIM_AT, IS_FINAL, RELEASE_BOND
from proofbook.chain.contracts import Append as ChainAppend
from proofbook.chain.contracts import Claim as ChainClaim
from proofbook.chain.errors import ChainFault, TransactionReverted
from proofbook.chain.rpc import AsyncRpc
from proofbook.protocol.entry import entry_hash
from proofbook.protocol.events import WithdrawalQueued
from proofbook.protocol.hashing import merkle_root
from proofbook.settlement.appends import (
    ChainPosition,
    EntrySource,
    cut,
    read_position,
    send_append,
)
from proofbook.settlement.claims import EngineFactory, Follower
from proofbook.settlement.deployment import Deployment
from proofbook.settlement.errors import (
    InboxDisagrees,
    JournalDisagrees,
    NonceTaken,
    TransactionTimedOut,
)
from proofbook.settlement.transactions import Sender
from proofbook.settlement.withdrawals import pay, prove_withdrawals, unpaid

CLAIMS_ASKED_MAX = 100  # claims that are read at once
ENTRIES_PER_STEP_MAX = 8192  # entries read from the journal at once: a few appends

_log = structlog.get_logger()


@dataclass(frozen=True)
class SettlementSettings:
    """How often the chain hears of the venue."""

    interval_seconds: float = 2.0  # between two looks at the journal
    appends_per_claim_max: int = 64  # bounds the roots in one claim
    claim_every_steps: int = 5  # one bond per claim: claims are rarer than appends


class Settlement:
    """Appends, claims, releases bonds and pays withdrawals for one venue.

    It keeps nothing that a restart would miss: what is done is read from the chain each time.
    """

    def __init__(
        self,
        rpc: AsyncRpc,
        deployment: Deployment,
        operator: Sender,
        source: EntrySource,
        make_engine: EngineFactory,
        settings: SettlementSettings | None = None,
        on_appended: Callable[[int], None] = lambda last_seq: None,
    ) -> None:
        """`on_appended` is told the last entry on chain, once per append and at the start."""
        self.deployment = deployment
        self.settings = settings or SettlementSettings()
        self._rpc = rpc
        self._operator = operator
        self._source = source
        self._follower = Follower(make_engine, source)
        self._on_appended = on_appended
        self._turn = asyncio.Lock()
        self._is_journal_checked = False
        self._bonds_settled = 0

    async def run(self) -> None:
        """Settle until cancelled. Faults of the chain are logged and tried again at the next look.

        What was not mined in time may be so later: the nonce goes with the position, so that it is
        mined once at most.

        Raises SettlementFault when journal and chain cannot belong together.
        """
        steps = 0
        while True:
            steps += 1
            try:
                async with self._turn:
                    await self._append_new()
                    if steps % self.settings.claim_every_steps == 0:
                        await self._claim_appended()
                        await self._release_bonds()
            except (ChainFault, NonceTaken, TransactionTimedOut) as fault:
                _log.warning("settlement.retry", reason=str(fault))
            await asyncio.sleep(self.settings.interval_seconds)

    async def check_journal(self) -> None:
        """Hold the journal to the newest append: what the chain has must not be numbered anew.

        Raises JournalDisagrees, ChainFault.
        """
        async with self._turn:
            await self._check_journal(await self._position())

    async def settle_all(self) -> None:
        """Append and claim everything that the journal holds now.

        Raises SettlementFault, ChainFault.
        """
        async with self._turn:
            while await self._append_new():
                pass
            await self._claim_appended()

    async def pay_withdrawals(self, sender: Sender | None = None) -> list[WithdrawalQueued]:
        """Pay everything that the newest final claim opens; return what was paid now.

        Raises TransactionReverted, ChainFault, SettlementFault.
        """
        async with self._turn:
            final = await self._newest_final_claim()
            if final is None:
                return []
            index, claim = final
            await self._hold_to(claim)
            state = await asyncio.to_thread(self._follower.opened, claim.last_seq)
            wanted = await unpaid(self._rpc, self.deployment, len(state.withdrawals))
            proven = prove_withdrawals(index, state.witness, state.withdrawals, wanted)
            payer = sender or self._operator
            return [p.withdrawal for p in proven if await pay(payer, self.deployment, p)]

    async def release_bonds(self) -> int:
        """Take back the bonds of final claims; return how many.

        Raises TransactionReverted, ChainFault.
        """
        async with self._turn:
            return await self._release_bonds()

    async def _append_new(self) -> bool:
        """Append what the journal has and the chain does not; False if there was nothing."""
        position = await self._position()
        if not self._is_journal_checked:
            await self._check_journal(position)
        entries = await asyncio.to_thread(
            self._source.read, position.next_seq, ENTRIES_PER_STEP_MAX
        )
        for piece in cut(entries):
            try:
                await send_append(self._operator, self.deployment, position, piece)
            except (TransactionReverted, NonceTaken) as error:
                await self._judge_refusal(error, position)
                return True
            _log.info("settlement.appended", first_seq=position.next_seq, entries=len(piece))
            position = await self._position()
            self._on_appended(position.next_seq - 1)
        return bool(entries)

    async def _check_journal(self, position: ChainPosition) -> None:
        """Compare the newest append with the journal, once. Raises JournalDisagrees."""
        if position.appends:
            append = await self._append_at(position.appends - 1)
            entries = await asyncio.to_thread(self._source.read, append.first_seq, append.entries)
            data_root = merkle_root([entry_hash(entry) for entry in entries])
            if data_root != append.data_root:
                raise JournalDisagrees(append.first_seq, append.entries, len(entries))
        self._is_journal_checked = True
        self._on_appended(position.next_seq - 1)

    async def _judge_refusal(self, error: Exception, before: ChainPosition) -> None:
        """Return if the chain has moved since: the refusal is stale. Else raise what it means."""
        position = await self._position()
        if position._replace(block_number=before.block_number) != before:
            _log.warning("settlement.position_moved", reason=str(error))
            return
        if isinstance(error, TransactionReverted) and error.name == "RequestHashMismatch":
            assert error.error is not None
            _, request, journal_hash, chain_hash = error.error.arguments
            raise InboxDisagrees(request, journal_hash, chain_hash) from error
        raise error

    async def _claim_appended(self) -> None:
        """Claim all appends that are not claimed, in as few claims as allowed."""
        while True:
            position = await self._position()
            appends = min(
                position.appends - position.appends_claimed, self.settings.appends_per_claim_max
            )
            if appends == 0:
                return
            if position.claims:
                await self._hold_to(await self._claim_at(position.claims - 1))
            first = await self._append_at(position.appends_claimed)
            last = await self._append_at(position.appends_claimed + appends - 1)
            roots = await asyncio.to_thread(
                self._follower.checkpoint_roots, first.first_seq, last.last_seq
            )
            try:
                await self._operator.send(
                    self.deployment.chain,
                    CLAIM.encode(appends, roots),
                    self.deployment.bond_wei,
                    position.nonce,
                )
            except (TransactionReverted, NonceTaken) as error:
                await self._judge_refusal(error, position)
                continue
            _log.info(
                "settlement.claimed",
                claim=position.claims,
                first_seq=first.first_seq,
                last_seq=last.last_seq,
            )

    async def _hold_to(self, claim: ChainClaim) -> None:
        """Compare a claim with the journal. Raises RootDisagrees."""
        await asyncio.to_thread(self._follower.hold_to, claim.last_seq, claim.post_root)

    async def _release_bonds(self) -> int:
        """Release bonds of claims that are final; those before the first open one are asked once.

        A release that a reorganised chain has lost is sent again after the next start.
        """
        claims, released = (await self._position()).claims, 0
        final = await self._final_claims(self._bonds_settled, claims)
        while self._bonds_settled < final:
            end = min(final, self._bonds_settled + CLAIMS_ASKED_MAX)
            indices = range(self._bonds_settled, end)
            asked = [(self.deployment.chain, CLAIM_AT, (index,)) for index in indices]
            for index, row in zip(indices, await self._rpc.views(asked), strict=True):
                if not ChainClaim(*row).is_bond_released:
                    await self._operator.send(self.deployment.chain, RELEASE_BOND.encode(index))
                    released += 1
                self._bonds_settled = index + 1
        return released

    async def _newest_final_claim(self) -> tuple[int, ChainClaim] | None:
        final = await self._final_claims(0, (await self._position()).claims)
        return (final - 1, await self._claim_at(final - 1)) if final else None

    async def _final_claims(self, known: int, claims: int) -> int:
        """Return how many claims are final: the first ones, of which some are known to be.

        Asks for few: mostly the next one is not, and there may be a week's between.
        """
        low, high = known, claims
        place = low
        while low < high:
            if await self._rpc.view(self.deployment.chain, IS_FINAL, place):
                low = place + 1
            else:
                high = place
            place = (low + high) // 2
        return low

    async def _position(self) -> ChainPosition:
        return await read_position(self._rpc, self.deployment, self._operator)

    async def _append_at(self, index: int) -> ChainAppend:
        return ChainAppend(*await self._rpc.view(self.deployment.chain, APPEND_AT, index))

    async def _claim_at(self, index: int) -> ChainClaim:
        return ChainClaim(*await self._rpc.view(self.deployment.chain, CLAIM_AT, index))
