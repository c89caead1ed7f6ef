//! Signed methods that come again and again, from the JSON of a request to the bytes of a command.

use std::collections::HashMap;
use std::sync::Arc;

use proofbook_kernel::commands::{POST_ONLY_FLAG, REDUCE_ONLY_FLAG, SLIDE_FLAG};
use proofbook_kernel::limits::{
    OrderType, PostOnly, QUOTES_PER_BATCH_MAX, SelfTradePrevention, Side, Tag, TimeInForce,
};

use crate::decimals::steps;
use crate::json::{Cursor, digits_value, once};

/// Bytes of a request, as the interface bounds them.
const FRAME_BYTES_MAX: usize = 64 * 1024;
/// Ids of requests that every reader of JSON takes for the same number.
const ID_MAX: u64 = (1 << 53) - 1;
const NAME_BYTES_MAX: usize = 64;
const LABEL_BYTES: usize = 8;
const SIGNATURE_BYTES: usize = 64;
/// A price counts 1e-6 USDC, an amount 1e-9 of its underlying.
pub const PRICE_PLACES: u32 = 6;
pub const AMOUNT_PLACES: u32 = 9;

/// An instrument that is listed: its number, its name, and the steps of its prices and amounts.
#[derive(Debug, PartialEq, Eq)]
pub struct Instrument {
    pub number: u32,
    pub name: String,
    pub tick_atoms: u64,
    pub lot_nanos: u64,
}

/// The instruments that are listed, by name; no combo is among them.
pub type Instruments = HashMap<Box<[u8]>, Arc<Instrument>>;

/// A row of a batch of quotes as it came: its instrument, and its side.
pub type Row = (Arc<Instrument>, u8);

/// A signed method, read.
#[derive(Debug, PartialEq, Eq)]
pub struct Ordinary {
    pub id: u64,
    pub tag: u8,
    /// The instrument of an order.
    pub instrument: Option<Arc<Instrument>>,
    /// The rows of a batch of quotes, in the order in which they came.
    pub rows: Vec<Row>,
    /// The command as it stands in an entry, from its tag on.
    pub body: Vec<u8>,
}

/// Return what a request asks, if it is an ordinary one.
pub fn read(frame: &[u8], instruments: &Instruments) -> Option<Ordinary> {
    if frame.len() > FRAME_BYTES_MAX {
        return None;
    }
    let (mut version, mut id, mut method, mut read) = (None, None, None, None);
    let mut cursor = Cursor::new(frame);
    cursor.object(|name, value| match name {
        b"jsonrpc" => once(&mut version, value.text()?),
        b"id" => once(&mut id, value.number(ID_MAX)?),
        b"method" => once(&mut method, value.text()?),
        b"params" => once(&mut read, params(method?, value, instruments)?),
        _ => None,
    })?;
    if version? != b"2.0" || !cursor.is_at_end() {
        return None;
    }
    Some(Ordinary { id: id?, ..read? })
}

fn params(method: &[u8], value: &mut Cursor, instruments: &Instruments) -> Option<Ordinary> {
    match method {
        b"place" => place(value, instruments),
        b"quote" => quote(value, instruments),
        b"cancel" => cancel(value),
        b"cancel_all" => cancel_all(value),
        _ => None,
    }
}

/// What every signed method carries.
#[derive(Default)]
struct Head {
    account: Option<u32>,
    nonce: Option<u64>,
    expires_ns: Option<u64>,
    session: Option<u8>,
    signature: Option<[u8; SIGNATURE_BYTES]>,
}

impl Head {
    /// Take a member if it is of the head.
    fn take(&mut self, name: &[u8], value: &mut Cursor) -> Option<()> {
        match name {
            b"account" => once(&mut self.account, value.number(u64::from(u32::MAX))? as u32),
            b"nonce" => once(&mut self.nonce, digits_value(value.text()?)?),
            b"expires_ns" => once(&mut self.expires_ns, digits_value(value.text()?)?),
            b"session" => once(&mut self.session, value.number(u64::from(u8::MAX))? as u8),
            b"signature" => once(&mut self.signature, signature(value.text()?)?),
            _ => None,
        }
    }

    /// Return the command so far: tag, session, signature, account, nonce, expiry.
    fn begin(self, tag: Tag) -> Option<Ordinary> {
        let mut body = Vec::with_capacity(128);
        body.extend([tag as u8, self.session.unwrap_or_default()]);
        body.extend(self.signature?);
        body.extend(self.account?.to_le_bytes());
        body.extend(self.nonce?.to_le_bytes());
        body.extend(self.expires_ns?.to_le_bytes());
        Some(Ordinary { id: 0, tag: tag as u8, instrument: None, rows: Vec::new(), body })
    }
}

fn place(value: &mut Cursor, instruments: &Instruments) -> Option<Ordinary> {
    let mut head = Head::default();
    let (mut instrument, mut order_side, mut price, mut amount) = (None, None, None, None);
    let (mut order_type, mut time_in_force, mut prevention) = (None, None, None);
    let (mut post_only, mut slide, mut reduce_only) = (None, None, None);
    let (mut max_fee_ppm, mut group, mut label) = (None, None, None);
    value.object(|name, value| match name {
        b"instrument" => once(&mut instrument, instrument_of(value.text()?, instruments)?),
        b"side" => once(&mut order_side, side(value.text()?)?),
        b"price" => once(&mut price, value.text()?),
        b"amount" => once(&mut amount, value.text()?),
        b"order_type" => once(&mut order_type, order_type_of(value.text()?)?),
        b"time_in_force" => once(&mut time_in_force, time_in_force_of(value.text()?)?),
        b"post_only" => once(&mut post_only, value.truth()?),
        b"slide" => once(&mut slide, value.truth()?),
        b"reduce_only" => once(&mut reduce_only, value.truth()?),
        b"self_trade_prevention" => once(&mut prevention, prevention_of(value.text()?)?),
        b"max_fee_ppm" => once(&mut max_fee_ppm, value.number(u64::from(u32::MAX))? as u32),
        b"group" => once(&mut group, value.number(u64::from(u16::MAX))? as u16),
        b"label" => once(&mut label, label_of(value.text()?)?),
        _ => head.take(name, value),
    })?;
    let instrument: Arc<Instrument> = instrument?;
    let mut flags = if slide == Some(true) {
        POST_ONLY_FLAG | SLIDE_FLAG
    } else {
        POST_ONLY_FLAG * u8::from(post_only == Some(true))
    };
    flags |= REDUCE_ONLY_FLAG * u8::from(reduce_only == Some(true));
    let mut ordinary = head.begin(Tag::Place)?;
    let body = &mut ordinary.body;
    body.extend(instrument.number.to_le_bytes());
    body.extend([order_side? as u8, order_type.unwrap_or(OrderType::Limit) as u8]);
    body.extend(instrument.ticks(price?)?.to_le_bytes());
    body.extend(instrument.lots(amount?)?.to_le_bytes());
    body.extend([
        time_in_force.unwrap_or(TimeInForce::GoodTillCancelled) as u8,
        flags,
        prevention.unwrap_or(SelfTradePrevention::CancelMaker) as u8,
    ]);
    body.extend(group.unwrap_or_default().to_le_bytes());
    body.extend(max_fee_ppm.unwrap_or_default().to_le_bytes());
    body.extend(label.unwrap_or_default());
    Some(Ordinary { instrument: Some(instrument), ..ordinary })
}

fn cancel(value: &mut Cursor) -> Option<Ordinary> {
    let (mut head, mut order) = (Head::default(), None);
    value.object(|name, value| match name {
        b"order" => once(&mut order, digits_value(value.text()?)?),
        _ => head.take(name, value),
    })?;
    let mut ordinary = head.begin(Tag::Cancel)?;
    ordinary.body.extend(order?.to_le_bytes());
    Some(ordinary)
}

fn cancel_all(value: &mut Cursor) -> Option<Ordinary> {
    let mut head = Head::default();
    value.object(|name, value| head.take(name, value))?;
    head.begin(Tag::CancelAll)
}

fn quote(value: &mut Cursor, instruments: &Instruments) -> Option<Ordinary> {
    let mut head = Head::default();
    let (mut quotes, mut protection, mut slide, mut max_fee_ppm) = (None, None, None, None);
    value.object(|name, value| match name {
        b"quotes" => once(&mut quotes, quotes_of(value, instruments)?),
        b"protection" => once(&mut protection, value.number(u64::from(u8::MAX))? as u8),
        b"slide" => once(&mut slide, value.truth()?),
        b"max_fee_ppm" => once(&mut max_fee_ppm, value.number(u64::from(u32::MAX))? as u32),
        _ => head.take(name, value),
    })?;
    let mut quotes: Vec<Quote> = quotes?;
    let rows = quotes.iter().map(|quote| quote.row.clone()).collect();
    quotes.sort_unstable_by_key(Quote::place);
    if quotes.windows(2).any(|pair| pair[0].place() == pair[1].place()) {
        return None;
    }
    let rests = if slide == Some(true) { PostOnly::Slide } else { PostOnly::Reject };
    let mut ordinary = head.begin(Tag::QuoteBatch)?;
    let body = &mut ordinary.body;
    body.extend([protection.unwrap_or_default(), rests as u8]);
    body.extend(max_fee_ppm.unwrap_or_default().to_le_bytes());
    body.push(quotes.len() as u8);
    for Quote { row: (instrument, side), ticks, lots } in quotes {
        body.extend(instrument.number.to_le_bytes());
        body.push(side);
        body.extend(ticks.to_le_bytes());
        body.extend(lots.to_le_bytes());
    }
    Some(Ordinary { rows, ..ordinary })
}

struct Quote {
    row: Row,
    ticks: u32,
    lots: u64,
}

impl Quote {
    /// Return where it stands in a batch, and in which book.
    fn place(&self) -> (u32, u8) {
        (self.row.0.number, self.row.1)
    }
}

fn quotes_of(value: &mut Cursor, instruments: &Instruments) -> Option<Vec<Quote>> {
    let mut quotes = Vec::with_capacity(QUOTES_PER_BATCH_MAX as usize);
    value.list(|value| {
        quotes.push(quote_of(value, instruments)?);
        (quotes.len() <= QUOTES_PER_BATCH_MAX as usize).then_some(())
    })?;
    Some(quotes)
}

fn quote_of(value: &mut Cursor, instruments: &Instruments) -> Option<Quote> {
    let (mut instrument, mut quote_side, mut price, mut amount) = (None, None, None, None);
    value.object(|name, value| match name {
        b"instrument" => once(&mut instrument, instrument_of(value.text()?, instruments)?),
        b"side" => once(&mut quote_side, side(value.text()?)?),
        b"price" => once(&mut price, value.text()?),
        b"amount" => once(&mut amount, value.text()?),
        _ => None,
    })?;
    let instrument: Arc<Instrument> = instrument?;
    let (ticks, lots) = (instrument.ticks(price.unwrap_or(b"0"))?, instrument.lots(amount?)?);
    Some(Quote { row: (instrument, quote_side? as u8), ticks, lots })
}

impl Instrument {
    fn ticks(&self, price: &[u8]) -> Option<u32> {
        let ticks = steps(price, self.tick_atoms, PRICE_PLACES, u64::from(u32::MAX))?;
        u32::try_from(ticks).ok()
    }

    fn lots(&self, amount: &[u8]) -> Option<u64> {
        steps(amount, self.lot_nanos, AMOUNT_PLACES, u64::MAX)
    }
}

fn instrument_of(name: &[u8], instruments: &Instruments) -> Option<Arc<Instrument>> {
    (name.len() <= NAME_BYTES_MAX).then(|| instruments.get(name).cloned())?
}

fn side(name: &[u8]) -> Option<Side> {
    match name {
        b"buy" => Some(Side::Buy),
        b"sell" => Some(Side::Sell),
        _ => None,
    }
}

fn order_type_of(name: &[u8]) -> Option<OrderType> {
    match name {
        b"limit" => Some(OrderType::Limit),
        b"market" => Some(OrderType::Market),
        _ => None,
    }
}

fn time_in_force_of(name: &[u8]) -> Option<TimeInForce> {
    match name {
        b"good_till_cancelled" => Some(TimeInForce::GoodTillCancelled),
        b"immediate_or_cancel" => Some(TimeInForce::ImmediateOrCancel),
        b"fill_or_kill" => Some(TimeInForce::FillOrKill),
        b"good_till_time" => Some(TimeInForce::GoodTillTime),
        _ => None,
    }
}

fn prevention_of(name: &[u8]) -> Option<SelfTradePrevention> {
    match name {
        b"cancel_maker" => Some(SelfTradePrevention::CancelMaker),
        b"cancel_taker" => Some(SelfTradePrevention::CancelTaker),
        b"cancel_both" => Some(SelfTradePrevention::CancelBoth),
        b"decrement" => Some(SelfTradePrevention::Decrement),
        _ => None,
    }
}

fn label_of(text: &[u8]) -> Option<[u8; LABEL_BYTES]> {
    let mut label = [0; LABEL_BYTES];
    label.get_mut(..text.len())?.copy_from_slice(text);
    Some(label)
}

fn signature(text: &[u8]) -> Option<[u8; SIGNATURE_BYTES]> {
    let (pairs, rest) = text.strip_prefix(b"0x")?.as_chunks::<2>();
    let mut signature = [0; SIGNATURE_BYTES];
    if pairs.len() != SIGNATURE_BYTES || !rest.is_empty() {
        return None;
    }
    for (byte, [high, low]) in signature.iter_mut().zip(pairs) {
        *byte = nibble(*high)? << 4 | nibble(*low)?;
    }
    Some(signature)
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}
