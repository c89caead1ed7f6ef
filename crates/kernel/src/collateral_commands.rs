//! Commands about debts and the collateral that pays for them.

use crate::commands::{Header, TraderCommand, command, trader_command};
use crate::eip712::{self, Encoder};
use crate::keccak::Hash;
use crate::reader::{Malformed, Reader};
use crate::value::Value;

command!(
    /// Put the tokens of an account up for sale that owes too much USDC.
    ///
    /// Of an account that does not any more, end it.
    StartConversion { account: u32 }
);
trader_command!(
    /// Buy some of a token from an account whose tokens are for sale: at most what repays its debt.
    ///
    /// `price_max_atoms` is the most to be paid for a whole token, in quote atoms.
    BuyCollateral signs BUY_COLLATERAL {
        account: u32,
        nonce: u64,
        expires_ns: u64,
        target: u32,
        token: u8,
        amount_atoms: u64,
        price_max_atoms: u64,
    }
);
command!(
    /// Turn what an account has won and lost in linear positions, up to their marks, into cash.
    SettleVariation { account: u32 }
);
