//! What ordinary requests led to, as JSON: events and a receipt into the bytes of an answer.

use proofbook_kernel::events::{Filled, OrderRemoved, OrderRested, QuoteRefused, TriggerPlaced};
use proofbook_kernel::limits::{EventTag, Side, Tag};

use crate::decimals::text;
use crate::receipt::put;
use crate::request::{AMOUNT_PLACES, Instrument, Ordinary, PRICE_PLACES};

/// How many bytes events have after their tags, and what numbers in them are called.
#[derive(Debug)]
pub struct Tables {
    pub sizes: Vec<u8>,
    pub removals: Vec<String>,
    pub rejects: Vec<String>,
}

/// When a request came, and when its answer goes out. Units: µs.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    pub us_in: i64,
    pub us_out: i64,
}

/// Return the whole answer to a request that was applied; nothing if an event is unknown.
pub fn answer(
    ordinary: &Ordinary,
    events: &[u8],
    receipt: &str,
    times: Times,
    tables: &Tables,
) -> Option<String> {
    let mut out = String::with_capacity(receipt.len() + 256 + 128 * ordinary.rows.len());
    put(&mut out, format_args!("{{\"jsonrpc\":\"2.0\",\"id\":{},\"result\":{{", ordinary.id));
    if ordinary.tag == Tag::Place as u8 {
        put_order(&mut out, ordinary.instrument.as_ref()?, events, tables)?;
    } else if ordinary.tag == Tag::QuoteBatch as u8 {
        put_quotes(&mut out, ordinary, events, tables)?;
    }
    let Times { us_in, us_out } = times;
    put(&mut out, format_args!("\"receipt\":{receipt}}},\"usIn\":{us_in},\"usOut\":{us_out}"));
    put(&mut out, format_args!(",\"usDiff\":{}}}", us_out.checked_sub(us_in)?));
    Some(out)
}

fn put_order(
    out: &mut String,
    instrument: &Instrument,
    events: &[u8],
    tables: &Tables,
) -> Option<()> {
    let (mut filled, mut resting, mut order) = (0_u128, 0_u64, None);
    let (mut trigger, mut removed, mut fills) = (None, None, String::new());
    each(events, tables, |tag, fields| {
        if tag == EventTag::Filled as u8 {
            let Filled { price_ticks, lots, taker_fee_atoms, .. } = Filled::decode(fields)?;
            filled += u128::from(lots);
            fills.push_str(if fills.is_empty() { "" } else { "," });
            let price = instrument.price(price_ticks);
            let amount = instrument.amount(u128::from(lots))?;
            let fee = text(u128::from(taker_fee_atoms), PRICE_PLACES);
            put(
                &mut fills,
                format_args!("{{\"price\":\"{price}\",\"amount\":\"{amount}\",\"fee\":\"{fee}\"}}"),
            );
        } else if tag == EventTag::OrderRested as u8 {
            let rested = OrderRested::decode(fields)?;
            (order, resting) = (Some(rested.order), rested.lots);
        } else if tag == EventTag::OrderRemoved as u8 {
            let event = OrderRemoved::decode(fields)?;
            if event.order == 0 {
                removed = Some(name_of(&tables.removals, event.removal)?);
            }
        } else if tag == EventTag::TriggerPlaced as u8 {
            trigger = Some(TriggerPlaced::decode(fields)?.trigger);
        }
        Some(())
    })?;
    put_member(out, "order", order);
    put_member(out, "trigger", trigger);
    put_member(out, "filled", Some(instrument.amount(filled)?));
    put_member(out, "resting", Some(instrument.amount(u128::from(resting))?));
    put_member(out, "removed", removed);
    put(out, format_args!("\"fills\":[{fills}],"));
    Some(())
}

/// What became of one quote: the order that rests and its price, or why none does.
enum Outcome<'a> {
    Rested(u64, u32),
    Refused(&'a str),
}

fn put_quotes(out: &mut String, ordinary: &Ordinary, events: &[u8], tables: &Tables) -> Option<()> {
    let mut outcomes = Vec::with_capacity(ordinary.rows.len());
    each(events, tables, |tag, fields| {
        if tag == EventTag::OrderRested as u8 {
            let OrderRested { order, instrument, side, price_ticks, .. } =
                OrderRested::decode(fields)?;
            outcomes.push((instrument, side, Outcome::Rested(order, price_ticks)));
        } else if tag == EventTag::QuoteRefused as u8 {
            let QuoteRefused { instrument, side, reason, .. } = QuoteRefused::decode(fields)?;
            let reason = name_of(&tables.rejects, reason)?;
            outcomes.push((instrument, side, Outcome::Refused(reason)));
        }
        Some(())
    })?;
    out.push_str("\"quotes\":[");
    for (place, (instrument, side)) in ordinary.rows.iter().enumerate() {
        out.push_str(if place == 0 { "{" } else { ",{" });
        put_member(out, "instrument", Some(&instrument.name));
        put_member(out, "side", Some(if *side == Side::Buy as u8 { "buy" } else { "sell" }));
        let of_row = |row: &&(u32, u8, Outcome)| row.0 == instrument.number && row.1 == *side;
        let (order, price, refused) = match outcomes.iter().rev().find(of_row) {
            Some((_, _, Outcome::Rested(order, ticks))) => (Some(order), Some(ticks), None),
            Some((_, _, Outcome::Refused(reason))) => (None, None, Some(reason)),
            None => (None, None, None),
        };
        put_member(out, "order", order);
        put_member(out, "price", price.map(|ticks| instrument.price(*ticks)));
        put_member(out, "refused", refused);
        out.pop();
        out.push('}');
    }
    out.push_str("],");
    Some(())
}

impl Instrument {
    fn price(&self, ticks: u32) -> String {
        text(u128::from(ticks) * u128::from(self.tick_atoms), PRICE_PLACES)
    }

    fn amount(&self, lots: u128) -> Option<String> {
        Some(text(lots.checked_mul(u128::from(self.lot_nanos))?, AMOUNT_PLACES))
    }
}

/// Return what a number is called, if it has a name.
fn name_of(names: &[String], number: u8) -> Option<&str> {
    names.get(usize::from(number)).map(String::as_str).filter(|name| !name.is_empty())
}

/// Hand over tag and fields of each event.
fn each<'a>(
    mut events: &'a [u8],
    tables: &Tables,
    mut take: impl FnMut(u8, &'a [u8]) -> Option<()>,
) -> Option<()> {
    while let Some((&tag, rest)) = events.split_first() {
        let size = *tables.sizes.get(usize::from(tag)).filter(|size| **size > 0)?;
        let (fields, after) = rest.split_at_checked(usize::from(size))?;
        take(tag, fields)?;
        events = after;
    }
    Some(())
}

/// Write a member of plain text, null if there is none, and a comma.
fn put_member<T: std::fmt::Display>(out: &mut String, name: &str, value: Option<T>) {
    match value {
        Some(value) => put(out, format_args!("\"{name}\":\"{value}\",")),
        None => put(out, format_args!("\"{name}\":null,")),
    }
}
