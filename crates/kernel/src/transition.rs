//! The transition: what one entry does to the state.
//!
//! Whatever happens at a venue is an entry: an order, a deposit, a price, the passing of time.
//! Every entry has an outcome, whatever its bytes are. It is void if it cannot be read, stands out
//! of order or is not signed by whom it names; then it is counted, and nothing else, but that a
//! request of the inbox is executed all the same. Otherwise it is applied, or rejected for a
//! reason, with the state as it was but for time, order and nonce. So whoever has the entries has
//! the state, and no entry can stop the others.

use crate::commands::Command;
use crate::eip712::party_digest;
use crate::entry::Entry;
use crate::host::Host;
use crate::limits::{OutcomeKind, Reject, Void};
use crate::ordering::{
    acting_signer, advance_header, consume_request, effective_class, is_in_order, is_request,
};
use crate::records::{global, signer};
use crate::sessions::Signer;
use crate::store::Store;
use crate::world::World;
use crate::{
    accounts, auctions, cancellation, collateral_sales, combos, conversion, custody, debts,
    deleveraging, expiries, fees, governance, legs, liquidation, liquidation_auctions, listing,
    margin_modes, marks, oracle, orders, protections, quotes, releasing, sessions, states,
    transfers, triggers,
};

/// Traders who sign one command at most.
const PARTIES_MAX: usize = 2;

/// Who signs an entry, first the trader that brings it.
type Signers<'a> = [Option<Signer<'a>>; PARTIES_MAX];

/// What became of an entry: two bytes on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub kind: u8,
    /// A `Reject` or a `Void`, 0 when applied.
    pub reason: u8,
}

impl Outcome {
    /// The entry did what it says.
    pub const APPLIED: Self = Self { kind: OutcomeKind::Applied as u8, reason: 0 };

    /// Return the outcome of an entry that was counted but refused.
    pub const fn rejected(reason: Reject) -> Self {
        Self { kind: OutcomeKind::Rejected as u8, reason: reason as u8 }
    }

    /// Return the outcome of an entry that should not have been in the journal.
    pub const fn void(reason: Void) -> Self {
        Self { kind: OutcomeKind::Void as u8, reason: reason as u8 }
    }
}

/// What is known of an entry before it is executed.
#[derive(Clone, Copy, Debug)]
struct Judged {
    /// Where it stands in its window.
    class: u8,
    /// In whose own order it stands: the key of who brings it, if he may.
    signer: Option<u32>,
    /// Why it has no effect.
    void: Option<Void>,
}

/// Return why an entry would be void, with nothing written.
pub fn void_reason<S: Store>(world: &World<S>, data: &[u8], host: &mut impl Host) -> Option<Void> {
    let Ok(entry) = Entry::decode(data) else { return Some(Void::Malformed) };
    judge(world, &entry, &signers_of(world, &entry), host).void
}

/// Return who signs an entry, first the trader that brings it; nobody for other commands.
fn signers_of<'a, S: Store>(world: &World<S>, entry: &'a Entry) -> Signers<'a> {
    let Some(bringer) = entry.bringer() else { return [None; PARTIES_MAX] };
    let maker = bringer.signed.maker().map(|maker| Signer::of(world, maker));
    [Some(Signer::of(world, bringer)), maker]
}

/// Check order and signatures, with nothing written.
fn judge<S: Store>(
    world: &World<S>,
    entry: &Entry,
    signers: &Signers,
    host: &mut impl Host,
) -> Judged {
    let signer = acting_signer(world, entry, signers[0].as_ref());
    let class = effective_class(world, entry, signer);
    let void = if !is_in_order(world, entry, signer, class) {
        Some(Void::OrderRegressed)
    } else if !signers_match(world, entry, signers, host) {
        Some(Void::SignerMismatch)
    } else {
        None
    };
    Judged { class, signer, void }
}

/// Judge, count, authorise, execute: the steps of every entry.
///
/// A request is the chain's and not the sequencer's: with a wrong stamp it moves neither time nor
/// order and counts as a void for whoever posted it, but it is executed all the same, or a deposit
/// could be burnt.
pub fn apply_entry<S: Store>(world: &mut World<S>, data: &[u8], host: &mut impl Host) -> Outcome {
    // Borrowed, for an entry is large to move.
    let Ok(entry) = &Entry::decode(data) else { return void(world, Void::Malformed) };
    let signers = &signers_of(world, entry);
    let judged = judge(world, entry, signers, host);
    if let Some(reason) = judged.void {
        let outcome = void(world, reason);
        return if is_request(entry) { run(world, entry, signers, judged.signer) } else { outcome };
    }
    advance_header(world, entry, judged.signer, judged.class);
    run(world, entry, signers, judged.signer)
}

/// Consume the request if the entry came from the inbox, authorise it, execute it.
fn run<S: Store>(
    world: &mut World<S>,
    entry: &Entry,
    signers: &Signers,
    signer: Option<u32>,
) -> Outcome {
    consume_request(world, entry);
    let result = authorise(world, entry, signers, signer)
        .and_then(|()| execute_charged(world, entry, signers));
    match result {
        Ok(()) => Outcome::APPLIED,
        Err(reason) => Outcome::rejected(reason),
    }
}

/// A void entry is counted, and is nothing else.
fn void<S: Store>(world: &mut World<S>, reason: Void) -> Outcome {
    world.set_header(global::SEQ, world.header(global::SEQ) + 1);
    world.set_header(global::VOID_COUNT, world.header(global::VOID_COUNT) + 1);
    Outcome::void(reason)
}

/// Return whether the keys that the entry names made its signatures. A key that does not exist is a
/// rejection, later.
fn signers_match<S: Store>(
    world: &World<S>,
    entry: &Entry,
    signers: &Signers,
    host: &mut impl Host,
) -> bool {
    match &entry.command {
        Command::IndexPrice(command) => oracle::index_signers_match(world, command, host),
        Command::ForwardCurve(command) => oracle::forward_signers_match(world, command, host),
        Command::VolSurface(command) => oracle::surface_signers_match(world, command, host),
        _ => signers.iter().flatten().all(|signer| signer_matches(world, signer, host)),
    }
}

/// The host is asked even where there is no key to compare with: it answers by position.
fn signer_matches<S: Store>(world: &World<S>, signer: &Signer, host: &mut impl Host) -> bool {
    let Signer { party, slot } = signer;
    let digest = || party_digest(&world.header(global::DOMAIN_SEPARATOR), party);
    let signed = host.recover(digest, party.signature);
    slot.is_none_or(|slot| signed == Some(world.signer(slot, signer::ADDRESS)))
}

/// Check those who signed, using up the first one's nonce.
///
/// Account, session, expiry and nonce of who brings the command come first; if they are good, his
/// nonce is used, whatever becomes of it: neither what names a quote that is gone nor what his
/// session may not do can be entered a second time. Then the same of whom he names, and scopes.
/// Who acts by a `signer` is known to be good: nothing that was written since is asked for.
fn authorise<S: Store>(
    world: &mut World<S>,
    entry: &Entry,
    signers: &Signers,
    signer: Option<u32>,
) -> Result<(), Reject> {
    let now_ns = world.header(global::WINDOW_NS);
    let [bringer, maker] = signers;
    if let Some(bringer) = bringer {
        let slot = match signer {
            Some(slot) => slot,
            None => sessions::check_authority(world, bringer, now_ns)?,
        };
        accounts::consume_nonce(world, slot, bringer.party.header.nonce);
    }
    if let Some(maker) = maker {
        sessions::check_authority(world, maker, now_ns)?;
    }
    for one in signers {
        let Some(one) = one else { break };
        sessions::check_scope(world, known_slot(one), one.party.session, &entry.command)?;
    }
    Ok(())
}

/// Return the slot of the key of one whose authority is checked.
fn known_slot(signer: &Signer) -> u32 {
    signer.slot.expect("authority is checked")
}

/// Execute the command and, if it is applied, count it against the sessions that signed it.
///
/// The maker whom a command names uses his nonce only by a trade: or anybody could spoil a quote by
/// an acceptance that cannot be carried out.
fn execute_charged<S: Store>(
    world: &mut World<S>,
    entry: &Entry,
    signers: &Signers,
) -> Result<(), Reject> {
    let mut charges = [(0, 0); PARTIES_MAX];
    for (charge, signer) in charges.iter_mut().zip(signers) {
        let Some(signer) = signer else { break };
        let (slot, session) = (known_slot(signer), signer.party.session);
        *charge = (slot, sessions::chargeable_atoms(world, slot, session, &entry.command));
    }
    execute(world, &entry.command)?;
    if let [_, Some(maker)] = signers {
        accounts::consume_nonce(world, known_slot(maker), maker.party.header.nonce);
    }
    for (slot, value_atoms) in charges {
        if value_atoms != 0 {
            let used_atoms = world.signer(slot, signer::NOTIONAL_USED_ATOMS);
            world.set_signer(slot, signer::NOTIONAL_USED_ATOMS, used_atoms + value_atoms);
        }
    }
    Ok(())
}

/// Do what an authorised command says, or return why not, with nothing written.
fn execute<S: Store>(world: &mut World<S>, command: &Command) -> Result<(), Reject> {
    match command {
        Command::UnreadableRequest => return Err(Reject::RequestUnreadable),
        Command::Deposit(command) => custody::deposit(world, command),
        Command::GrantRequest(command) => return sessions::grant_request(world, command),
        Command::RevokeRequest(command) => return sessions::revoke_request(world, command),
        Command::SetFeeSchedule(command) => return fees::set_fee_schedule(world, command),
        Command::AssignFees(command) => return fees::assign_fees(world, command),
        Command::Transfer(command) => return transfers::transfer(world, command),
        Command::PositionTransfer(command) => return transfers::position_transfer(world, command),
        Command::GrantSession(command) => return sessions::grant_session(world, command),
        Command::RevokeSession(command) => return sessions::revoke_session(world, command),
        Command::Withdraw(command) => return custody::withdraw(world, command),
        Command::Place(command) => return orders::place(world, command),
        Command::Amend(command) => return orders::amend(world, command),
        Command::QuoteBatch(command) => return quotes::quote_batch(world, command),
        Command::Cancel(command) => return cancellation::cancel(world, command),
        Command::CancelAll(command) => cancellation::cancel_all(world, command),
        Command::SetProtection(command) => return protections::set_protection(world, command),
        Command::ResetProtection(command) => return protections::reset_protection(world, command),
        Command::SetDeadMan(command) => return cancellation::set_dead_man(world, command),
        Command::SetMarginMode(command) => return margin_modes::set_margin_mode(world, command),
        Command::PlaceTrigger(command) => return triggers::place_trigger(world, command),
        Command::CancelTrigger(command) => return triggers::cancel_trigger(world, command),
        Command::FireTrigger(command) => return triggers::fire_trigger(world, command),
        Command::SetParameters(command) => return governance::set_parameters(world, command),
        Command::SetPublisher(command) => return governance::set_publisher(world, command),
        Command::SetTerms(command) => return governance::set_terms(world, command),
        Command::SetUnderlying(command) => return governance::set_underlying(world, command),
        Command::SetToken(command) => return governance::set_token(world, command),
        Command::SetInstrument(command) => return states::set_instrument(world, command),
        Command::Uncross(command) => return auctions::uncross(world, command),
        Command::CreateCombo(command) => return combos::create_combo(world, command),
        Command::AcceptQuote(command) => return legs::accept_quote(world, command),
        Command::BlockTrade(command) => return legs::block_trade(world, command),
        Command::IndexPrice(command) => return oracle::index_price(world, command),
        Command::ForwardCurve(command) => return oracle::forward_curve(world, command),
        Command::VolSurface(command) => return oracle::vol_surface(world, command),
        Command::Tick(command) => return cancellation::tick(world, command),
        Command::Remark(command) => return marks::remark(world, command),
        Command::ListInstrument(command) => return listing::list_instrument(world, command),
        Command::ReleaseInstrument(command) => {
            return releasing::release_instrument(world, command);
        }
        Command::SetSettlement(command) => return expiries::set_settlement(world, command),
        Command::SettleExpiry(command) => return expiries::settle_expiry(world, command),
        Command::SettleAccount(command) => return expiries::settle_account(world, command),
        Command::Liquidate(command) => return liquidation::liquidate(world, command),
        Command::StartAuction(command) => {
            return liquidation_auctions::start_auction(world, command);
        }
        Command::AuctionBid(command) => return liquidation_auctions::auction_bid(world, command),
        Command::StartConversion(command) => return conversion::start_conversion(world, command),
        Command::BuyCollateral(command) => return collateral_sales::buy_collateral(world, command),
        Command::SettleVariation(command) => return debts::settle_variation(world, command),
        Command::Deleverage(command) => return deleveraging::deleverage(world, command),
    }
    Ok(())
}
