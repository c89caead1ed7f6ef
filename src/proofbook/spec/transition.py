"""The transition: what one entry does to the state. Total: every entry has an outcome."""

from collections.abc import Callable, Sequence
from typing import Any

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
    SetTerms,
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
from proofbook.spec.ordering import advance_header, consume_request, is_in_order
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

        Raises  QuestionInvalid.
        """
        return explain(self.world, account, changes)

    def _apply_one(self, data: bytes) -> Result:
        self.world.events = []
        outcome = apply_entry(self.world, data)
        for ledger in (self.world.header, *self.world.tokens.records.values()):
            assert ledger.custody_atoms == ledger.deposits_atoms - ledger.withdrawals_atoms, (
                "money is conserved"
            )
        return Result(outcome, b"".join(encode_event(event) for event in self.world.events))


def apply_entry(world: World, data: bytes) -> Outcome:
    """Decode, check order and signatures, count, authorise, execute: the steps of every entry."""
    try:
        entry = Entry.decode(data)
    except Malformed:
        return _void(world, Void.MALFORMED)
    if not is_in_order(world, entry):
        if entry.command.TAG not in INBOX_TAGS:
            return _void(world, Void.ORDER_REGRESSED)
        _void(world, Void.ORDER_REGRESSED)
        return _run(world, entry)
    if not _signers_match(world, entry):
        return _void(world, Void.SIGNER_MISMATCH)
    advance_header(world, entry)
    return _run(world, entry)


def _run(world: World, entry: Entry) -> Outcome:
    """Consume the request if the entry came from the inbox, authorise it, execute it.

    A request is the chain's and not the sequencer's: with a wrong stamp it moves neither time nor
    order and counts as a void for whoever posted it, but it is executed all the same, or a deposit
    could be burnt.
    """
    consume_request(world, entry.command)
    signers = parties(entry)
    fault = _authority_fault(world, signers)
    if fault is not None:
        return Outcome.rejected(fault)
    _consume_nonces(world, signers[:1])
    fault = _scope_fault(world, signers, entry.command)
    if fault is None:
        fault = _execute_charged(world, signers, entry.command)
    return APPLIED if fault is None else Outcome.rejected(fault)


def _void(world: World, reason: Void) -> Outcome:
    """A void entry is counted, and is nothing else."""
    world.header.seq += 1
    world.header.void_count += 1
    return Outcome.void(reason)


def _signers_match(world: World, entry: Entry) -> bool:
    """Whether the keys that the entry names made its signatures.

    A key that does not exist is a rejection, later.
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


def _authority_fault(world: World, signers: Sequence[Party]) -> Reject | None:
    """Return the first thing wrong with account, session, expiry or nonce of those who signed."""
    for party in signers:
        if not world.account_exists(party.account):
            return Reject.ACCOUNT_NOT_FOUND
        signer_slot = sessions.signer_slot(world, party)
        if signer_slot == 0:
            return Reject.SESSION_NOT_FOUND
        if world.header.window_ns > party.expires_ns:
            return Reject.MESSAGE_EXPIRED
        fault = accounts.nonce_fault(world.signers[signer_slot], party.nonce)
        if fault is not None:
            return fault
        if not sessions.is_nonce_in_range(world, party.session, party.nonce):
            return Reject.NONCE_OUT_OF_RANGE
    return None


def _consume_nonces(world: World, signers: Sequence[Party]) -> None:
    """Use up nonces that are good.

    Who brings a command uses his up whatever becomes of it; the maker whom he names, only by a
    trade: or anybody could spoil a quote by an acceptance that cannot be carried out.
    """
    for party in signers:
        accounts.consume_nonce(world.signers.edit(sessions.signer_slot(world, party)), party.nonce)


def _scope_fault(world: World, signers: Sequence[Party], command: Command) -> Reject | None:
    """Ask what the sessions may do, once the first nonce is used: a key pays for what it signs."""
    for party in signers:
        fault = sessions.scope_fault(
            world, sessions.signer_slot(world, party), party.session, command
        )
        if fault is not None:
            return fault
    return None


def _execute_charged(world: World, signers: Sequence[Party], command: Command) -> Reject | None:
    """Execute the command and, if it is applied, count it against the sessions that signed it."""
    slots = [sessions.signer_slot(world, party) for party in signers]
    values_atoms = [
        sessions.chargeable_atoms(world, slot, party.session, command)
        for slot, party in zip(slots, signers, strict=True)
    ]
    fault = execute(world, command)
    if fault is not None:
        return fault
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
}
"""What executes each command."""
