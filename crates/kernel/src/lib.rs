//! The Proofbook state machine: entries in; outcomes, events and state roots out.
//!
//! The fast twin of `src/proofbook/spec`, which is normative: the two agree byte for byte. Integers
//! only, no clock, no file, no randomness, no dependency. The state lives behind one interface
//! (`store`), so that the same code runs over flat memory, under a recorder, and from a witness.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod account_commands;
pub mod accounts;
pub mod accumulator;
pub mod add_ons;
pub mod arena;
pub mod arrays;
pub mod auctions;
pub mod averaging;
pub mod backing;
pub mod bands;
pub mod black76;
pub mod book;
pub mod breakers;
pub mod caches;
pub mod cancellation;
pub mod collateral;
pub mod collateral_commands;
pub mod collateral_events;
pub mod collateral_sales;
pub mod combos;
pub mod commands;
pub mod conversion;
pub mod cushion;
pub mod custody;
pub mod debts;
pub mod deleveraging;
pub mod eip712;
pub mod entry;
pub mod events;
pub mod expiries;
pub mod expiry_commands;
pub mod expiry_events;
pub mod exposure;
pub mod fees;
pub mod field;
pub mod fill_or_kill;
pub mod fixed_point;
pub mod fund_share;
pub mod funding;
pub mod genesis;
pub mod glance;
pub mod governance;
pub mod governance_commands;
pub mod holdings;
pub mod host;
pub mod identifiers;
pub mod insurance;
pub mod keccak;
pub mod kept;
pub mod kernel;
#[rustfmt::skip]
pub mod ladder;
pub mod leg_commands;
pub mod leg_holds;
pub mod legs;
pub mod limits;
pub mod liquidation;
pub mod liquidation_auctions;
pub mod liquidation_commands;
pub mod liquidation_events;
pub mod listing;
pub mod margin;
pub mod margin_modes;
pub mod margin_report;
pub mod marks;
pub mod matching;
pub mod native;
#[rustfmt::skip]
mod normal_table;
pub mod observations;
pub mod oracle;
pub mod order_terms;
pub mod ordering;
pub mod orders;
pub mod owners;
#[rustfmt::skip]
pub mod parameters;
pub mod payoff;
pub mod portfolio;
pub mod position_limits;
pub mod positions;
pub mod premiums;
pub mod prices;
pub mod protections;
pub mod quotes;
pub mod reader;
#[rustfmt::skip]
pub mod records;
pub mod releasing;
pub mod relief;
pub mod rounding;
pub mod rules;
pub mod scenario_margin;
pub mod scenarios;
pub mod sessions;
pub mod snapshot;
pub mod staleness;
pub mod standard_margin;
pub mod states;
pub mod store;
pub mod surface;
pub mod terms;
pub mod three_ways;
pub mod touched;
pub mod transfers;
pub mod transition;
pub mod tree;
pub mod trie;
pub mod triggers;
pub mod value;
pub mod views;
pub mod waiting;
pub mod wide;
pub mod witness;
pub mod world;
