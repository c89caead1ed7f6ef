"""The transition: what one entry does to the state.

Whatever happens at a venue is an entry: an order, a deposit, a price, the passing of time. Every
entry has an outcome, whatever its bytes are. It is void if it cannot be read, stands out of order
or is not signed by whom it names; then it is counted, and nothing else, but that a request of the
inbox is executed all the same. Otherwise it is applied, or rejected for a reason, with the state as
it was but for time, order and nonce. So whoever has the entries has the state, and no entry can
stop the others.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from proofbook.protocol.commands import (
    AcceptQuote,
    Amend,
    AssignFees,
    AuctionBid,
    BlockTrade,
    BuyCollateral,
    Cancel,
    CancelAll,
    CancelTrigger,
    Command,
    CreateCombo,
    Deleverage,
    Deposit,
    FireTrigger,
    ForwardCurve,
    GrantRequest,
    GrantSession,
    IndexPrice,
    Liquidate,
    ListInstrument,
    Malformed,
    OracleCommand,
    Party,
    Place,
    PlaceTrigger,
    PositionTransfer,
    QuoteBatch,
    ReleaseInstrument,
    Remark,
    ResetProtection,
    RevokeRequest,
    RevokeSession,
    SetDeadMan,
    SetFeeSchedule,
    SetInstrument,
    SetMarginMode,
    SetParameters,
    SetProtection,
    SetPublisher,
    SetSettlement,
    SetTerms,
    SettleAccount,
    SettleExpiry,
    SettleVariation,
    SetToken,
    SetUnderlying,
    StartAuction,
    StartConversion,
    Tick,
    Transfer,
    Uncross,
    UnreadableRequest,
    VolSurface,
    Withdraw,
)
from proofbook.protocol.eip712 import command_digest
from proofbook.protocol.engine import Result
from proofbook.protocol.entry import INBOX_TAGS, Entry, parties
from proofbook.protocol.events import encode_event
from proofbook.protocol.limits import ArenaId, Reject, Void
from proofbook.protocol.margin_report import NO_CHANGES_ASKED, ChangesAsked, MarginReport
from proofbook.protocol.outcomes import APPLIED, Outcome
from proofbook.spec import (
    accounts,
    auctions,
    cancellation,
    collateral_sales,
    combos,
    conversion,
    custody,
    debts,
    deleveraging,
    expiries,
    fees,
    governance,
    legs,
    liquidation,
    liquidation_auctions,
    listing,
    margin_modes,
    marks,
    oracle,
    orders,
    protections,
    quotes,
    releasing,
    sessions,
    states,
    transfers,
    triggers,
)
from proofbook.spec.genesis import world_from_genesis
from proofbook.spec.margin_report import explain
from proofbook.spec.ordering import (
    acting_signer,
    advance_header,
    consume_request,
    is_in_order,
)
from proofbook.spec.signatures import recover
from proofbook.spec.world import World


class State:
    """The state machine from genesis on: an `Engine` that reads like its description."""

    def __init__(self, genesis: bytes, chain_id: int, contract: bytes) -> None:
        self.world = world_from_genesis(genesis, chain_id, contract)

    @property
    def seq(self) -> int:
        return self.world.header.seq

    def apply(self, entries: Sequence[bytes]) -> list[Result]:
        """Apply entries in order; return their outcomes and events."""
        return [self._apply_one(entry) for entry in entries]

    def apply_unless_void(self, entries: Sequence[bytes]) -> list[Result]:
        """Apply entries in order, but those that would be void: they leave no trace."""
        return [self._apply_unless_void(entry) for entry in entries]

    def root(self) -> bytes:
        """Return the state root."""
        return self.world.root()

    def arena_roots(self) -> list[bytes]:
        """Return the leaves of the top tree, for proofs."""
        return self.world.arena_roots()

    def read(self, arena: ArenaId, slot: int) -> bytes:
        """Return the words of one record; zeros for a slot never used."""
        return (
            self.world.header.pack()
            if arena == ArenaId.GLOBAL
            else self.world.arenas[arena].packed(slot)
        )

    def margin(self, account: int, changes: ChangesAsked = NO_CHANGES_ASKED) -> MarginReport:
        """Return what an account owns and needs, with changes at their marks.

        Raises QuestionInvalid.
        """
        return explain(self.world, account, changes)

    def _apply_unless_void(self, data: bytes) -> Result:
        void = judge(self.world, data).void
        return self._apply_one(data) if void is None else Result(Outcome.void(void), b"")

    def _apply_one(self, data: bytes) -> Result:
        self.world.events = []
        outcome = apply_entry(self.world, data)
        for ledger in (self.world.header, *self.world.tokens.records.values()):
            assert ledger.custody_atoms == ledger.deposits_atoms - ledger.withdrawals_atoms, (
                "money is conserved"
            )
        return Result(outcome, b"".join(encode_event(event) for event in self.world.events))


class Judged(NamedTuple):
    """An entry before it is executed.

    `entry` is None if it cannot be decoded. `signer`: the key whose sequence it continues. `void`:
    why it has no effect, or None.
    """

    entry: Entry | None
    signer: int | None
    void: Void | None


def judge(world: World, data: bytes) -> Judged:
    """Decode, check order and signatures, with nothing written."""
    try:
        entry = Entry.decode(data)
    except Malformed:
        return Judged(None, None, Void.MALFORMED)
    signer = acting_signer(world, entry)
    if not is_in_order(world, entry, signer):
        return Judged(entry, signer, Void.ORDER_REGRESSED)
    void = None if _signers_match(world, entry) else Void.SIGNER_MISMATCH
    return Judged(entry, signer, void)


def apply_entry(world: World, data: bytes) -> Outcome:
    """Judge, count, authorise, execute: the steps of every entry.

    A request from the inbox is the chain's and not the sequencer's: whoever stamps it out of order
    must not be able to lose a deposit by that. It counts as void and moves neither time nor order,
    and is executed all the same.
    """
    entry, signer, void = judge(world, data)
    if void is not None:
        outcome = _void(world, void)  # counted so, even where a request is executed
        is_request = entry is not None and entry.command.TAG in INBOX_TAGS
        return _run(world, entry) if entry is not None and is_request else outcome
    assert entry is not None, "what is not void is an entry"
    advance_header(world, entry, signer)
    return _run(world, entry)


def _run(world: World, entry: Entry) -> Outcome:
    """Consume the request if the entry came from the inbox, authorise it, execute it."""
    consume_request(world, entry.command)
    signers = parties(entry)
    rejection = _authorise(world, signers, entry.command)
    if rejection is None:
        rejection = _execute_charged(world, signers, entry.command)
    return APPLIED if rejection is None else Outcome.rejected(rejection)


def _void(world: World, reason: Void) -> Outcome:
    """A void entry is counted, and is nothing else."""
    world.header.seq += 1
    world.header.void_count += 1
    return Outcome.void(reason)


def _signers_match(world: World, entry: Entry) -> bool:
    """Whether the keys that the entry names made its signatures.

    A key that does not exist has signed nothing: for that the entry is rejected, later.
    """
    if isinstance(entry.command, OracleCommand):
        return oracle.signers_match(world, entry.command)
    return all(_signer_matches(world, party) for party in parties(entry))


def _signer_matches(world: World, party: Party) -> bool:
    signer_slot = sessions.signer_slot(world, party)
    if signer_slot == 0:
        return True
    digest = command_digest(world.header.domain_separator, party.signed)
    return recover(digest, party.signature) == world.signers[signer_slot].address


def _authorise(world: World, signers: Sequence[Party], command: Command) -> Reject | None:
    """Return the first thing wrong with those who signed; use up the nonce of the first.

    The first signer must have the right account, session, expiry and nonce. Then his nonce is
    used, whatever becomes of the command: nobody can enter it a second time, even if the quote that
    it names is gone or his session lacks the right. Then the second signer, if the command names
    one, must have the same, and at last each session the right to what it does.
    """
    for place, party in enumerate(signers):
        rejection = sessions.authority_rejection(world, party, world.header.window_ns)
        if rejection is not None:
            return rejection
        if place == 0:
            _consume_nonces(world, signers[:1])
    return _scope_rejection(world, signers, command)


def _consume_nonces(world: World, signers: Sequence[Party]) -> None:
    """Use up nonces that are good.

    That of a maker whom a command names is used up by the trade alone: or anybody could spoil his
    quote with an acceptance that cannot be carried out.
    """
    for party in signers:
        accounts.consume_nonce(world.signers.edit(sessions.signer_slot(world, party)), party.nonce)


def _scope_rejection(world: World, signers: Sequence[Party], command: Command) -> Reject | None:
    """Return the first thing that a session may not do."""
    for party in signers:
        rejection = sessions.scope_rejection(
            world, sessions.signer_slot(world, party), party.session, command
        )
        if rejection is not None:
            return rejection
    return None


def _execute_charged(world: World, signers: Sequence[Party], command: Command) -> Reject | None:
    """Execute the command and, if it is applied, count it against the sessions that signed it."""
    slots = [sessions.signer_slot(world, party) for party in signers]
    values_atoms = [
        sessions.chargeable_atoms(world, slot, party.session, command)
        for slot, party in zip(slots, signers, strict=True)
    ]
    rejection = execute(world, command)
    if rejection is not None:
        return rejection
    _consume_nonces(world, signers[1:])
    for slot, value_atoms in zip(slots, values_atoms, strict=True):
        if value_atoms:
            world.signers.edit(slot).notional_used_atoms += value_atoms
    return None


def execute(world: World, command: Command) -> Reject | None:
    """Do what an authorised command says, or return why not, with nothing written."""
    return HANDLERS[type(command)](world, command)


def refuse_request(_: World, command: UnreadableRequest) -> Reject:
    """Do nothing with a request that cannot be read."""
    return Reject.REQUEST_UNREADABLE


HANDLERS: dict[type[Command], Callable[[World, Any], Reject | None]] = {
    Deposit: custody.deposit,
    UnreadableRequest: refuse_request,
    GrantRequest: sessions.grant_request,
    RevokeRequest: sessions.revoke_request,
    SetParameters: governance.set_parameters,
    SetPublisher: governance.set_publisher,
    SetTerms: governance.set_terms,
    SetUnderlying: governance.set_underlying,
    SetToken: governance.set_token,
    SetSettlement: expiries.set_settlement,
    SettleExpiry: expiries.settle_expiry,
    SettleAccount: expiries.settle_account,
    SetFeeSchedule: fees.set_fee_schedule,
    AssignFees: fees.assign_fees,
    Withdraw: custody.withdraw,
    Transfer: transfers.transfer,
    PositionTransfer: transfers.position_transfer,
    GrantSession: sessions.grant_session,
    RevokeSession: sessions.revoke_session,
    Place: orders.place,
    Amend: orders.amend,
    QuoteBatch: quotes.quote_batch,
    Cancel: cancellation.cancel,
    CancelAll: cancellation.cancel_all,
    SetProtection: protections.set_protection,
    ResetProtection: protections.reset_protection,
    SetDeadMan: cancellation.set_dead_man,
    SetMarginMode: margin_modes.set_margin_mode,
    Tick: cancellation.tick,
    PlaceTrigger: triggers.place_trigger,
    CancelTrigger: triggers.cancel_trigger,
    FireTrigger: triggers.fire_trigger,
    SetInstrument: states.set_instrument,
    Uncross: auctions.uncross,
    CreateCombo: combos.create_combo,
    AcceptQuote: legs.accept_quote,
    BlockTrade: legs.block_trade,
    IndexPrice: oracle.index_price,
    ForwardCurve: oracle.forward_curve,
    VolSurface: oracle.vol_surface,
    Remark: marks.remark,
    ListInstrument: listing.list_instrument,
    ReleaseInstrument: releasing.release_instrument,
    Liquidate: liquidation.liquidate,
    StartAuction: liquidation_auctions.start_auction,
    AuctionBid: liquidation_auctions.auction_bid,
    StartConversion: conversion.start_conversion,
    BuyCollateral: collateral_sales.buy_collateral,
    SettleVariation: debts.settle_variation,
    Deleverage: deleveraging.deleverage,
}
"""What executes each command."""
