//! Commands about accounts: sessions, transfers between accounts, fee schedules.

use crate::commands::{Address, Header, TraderCommand, command, trader_command};
use crate::eip712::{self, Encoder};
use crate::keccak::Hash;
use crate::reader::{Malformed, Reader};
use crate::value::Value;

trader_command!(
    /// Let a key act for the account, within a scope, from a slot of its own.
    ///
    /// `actions` has a bit for each `Action`, `markets` one for each underlying by its number.
    /// `notional_cap_atoms` bounds the value of all orders together, at their limits; 0 is no
    /// bound.
    GrantSession signs GRANT_SESSION {
        account: u32,
        nonce: u64,
        expires_ns: u64,
        session: u8,
        key: Address,
        actions: u32,
        markets: u64,
        notional_cap_atoms: u64,
        session_expires_ns: u64,
    }
);
trader_command!(
    /// End the session of a slot.
    RevokeSession signs REVOKE_SESSION { account: u32, nonce: u64, expires_ns: u64, session: u8 }
);
command!(
    /// A GrantSession by an owner on the settlement chain, who may be a contract.
    GrantRequest {
        account: u32,
        owner: Address,
        session: u8,
        key: Address,
        actions: u32,
        markets: u64,
        notional_cap_atoms: u64,
        session_expires_ns: u64,
    }
);
command!(
    /// A RevokeSession by an owner on the settlement chain.
    RevokeRequest { account: u32, owner: Address, session: u8 }
);
trader_command!(
    /// Move money to another account: anybody's, or with a session's key one of the same owner.
    Transfer signs TRANSFER {
        account: u32,
        nonce: u64,
        expires_ns: u64,
        recipient: u32,
        token: u8,
        amount_atoms: u64,
    }
);
trader_command!(
    /// Move lots of the account's position, long or short, to another account of its owner.
    PositionTransfer signs POSITION_TRANSFER {
        account: u32,
        nonce: u64,
        expires_ns: u64,
        recipient: u32,
        instrument: u32,
        lots: u64,
    }
);
command!(
    /// Set the fees of perpetuals, futures and options under a schedule, made if it is the next.
    ///
    /// `version` is one more than the schedule's, so that no decision overtakes another.
    SetFeeSchedule {
        schedule: u32,
        version: u32,
        perpetual_maker_ppm: u32,
        perpetual_taker_ppm: u32,
        future_maker_ppm: u32,
        future_taker_ppm: u32,
        option_maker_ppm: u32,
        option_taker_ppm: u32,
    }
);
command!(
    /// Put an account under a fee schedule; 0: the terms of each instrument.
    AssignFees { account: u32, schedule: u32 }
);
