/** The commands: one line each for those whose bytes are their members in order. */

import { Malformed, concat } from "./bytes.js";
import type { Reader } from "./bytes.js";
import {
  address,
  bytes8,
  enumeration,
  flag,
  i64,
  list,
  orderFlags,
  several,
  signature,
  struct,
  u16,
  u32,
  u64,
  u8,
  unsigned,
} from "./fields.js";
import type { Fields, Struct, Value, Values } from "./fields.js";
import {
  COMBO_LEGS_MIN,
  EXPIRIES_PER_UNDERLYING_MAX,
  InstrumentKind,
  InstrumentMode,
  InstrumentState,
  LEGS_MAX,
  MarginMode,
  OrderType,
  PARAMETERS,
  PUBLISHERS_MAX,
  PostOnly,
  QUOTES_PER_BATCH_MAX,
  SelfTradePrevention,
  Side,
  Tag,
  TermsKind,
  TimeInForce,
  TriggerCondition,
} from "./limits.js";

/** Who is behind a command: the inbox or anyone, a trader, or a quorum of publishers. */
export type Origin = "open" | "trader" | "oracle";

/** One command: its tag, who signs it, and its bytes after the tag (and a trader's signature). */
export interface Layout<T> {
  readonly tag: number;
  readonly origin: Origin;
  readonly body: Struct<T>;
  /** Of a command that two traders sign: the hash of the struct that the second one signs. */
  makerHash?(values: T): Uint8Array;
}

const side = enumeration(Side);
const orderType = enumeration(OrderType);
const timeInForce = enumeration(TimeInForce);
const selfTradePrevention = enumeration(SelfTradePrevention);
const instrumentKind = enumeration(InstrumentKind);

function open<F extends Fields>(name: string, tag: number, fields: F): Layout<Values<F>> {
  return { tag, origin: "open", body: struct(name, fields) };
}

const traderHead = { account: u32, nonce: u64, expiresNs: u64 };

function trader<F extends Fields>(
  name: string,
  tag: number,
  fields: F,
): Layout<Values<typeof traderHead & F>> {
  return { tag, origin: "trader", body: struct(name, { ...traderHead, ...fields }) };
}

/** Return a layout that reads no value of which a check says something. */
function checked<T>(layout: Layout<T>, flaw: (value: T) => string | undefined): Layout<T> {
  const read = (reader: Reader) => {
    const value = layout.body.read(reader);
    const found = flaw(value);
    if (found !== undefined) {
      throw new Malformed(found);
    }
    return value;
  };
  return { ...layout, body: { ...layout.body, read } };
}

/** One publisher's values, signed. */
interface Published {
  readonly publisher: number;
}

function oracle<T>(
  tag: number,
  body: Struct<T>,
  published: (value: T) => readonly Published[],
): Layout<T> {
  return checked<T>({ tag, origin: "oracle", body }, (value) => {
    const publishers = published(value).map((row) => BigInt(row.publisher));
    return isAscending(publishers) ? undefined : `publishers ${publishers} are not ascending`;
  });
}

function isAscending(keys: readonly bigint[]): boolean {
  return keys.every((key, place) => place === 0 || key > (keys[place - 1] ?? 0n));
}

// From the inbox

export const Deposit = open("Deposit", Tag.DEPOSIT, {
  account: u32, owner: address, subaccount: u32, token: u8, amountAtoms: u64,
});

const scope = { actions: u32, markets: u64, notionalCapAtoms: u64, sessionExpiresNs: u64 };
export const GrantRequest = open("GrantRequest", Tag.GRANT_REQUEST, {
  account: u32, owner: address, session: u8, key: address, ...scope,
});
export const RevokeRequest = open("RevokeRequest", Tag.REVOKE_REQUEST, {
  account: u32, owner: address, session: u8,
});
const parameters = Object.fromEntries(PARAMETERS.map((name) => [name, u32]));
export const SetParameters = open("SetParameters", Tag.SET_PARAMETERS, {
  version: u32, ...parameters,
});
export const SetPublisher = open("SetPublisher", Tag.SET_PUBLISHER, {
  publisher: u8, version: u32, key: address,
});
export const SetTerms = open("SetTerms", Tag.SET_TERMS, {
  underlying: u32, version: u32, kind: enumeration(TermsKind),
  tick: u64, lot: u64, lotsMin: u64, lotsMax: u64, blockLotsMin: u64,
  positionLotsMax: u64, openInterestLotsMax: u64,
  makerFee: u32, takerFee: u32, band: u32,
});
export const SetSettlement = open("SetSettlement", Tag.SET_SETTLEMENT, {
  expiry: u32, expiryNs: u64, priceAtoms: u64,
});
export const SetUnderlying = open("SetUnderlying", Tag.SET_UNDERLYING, {
  underlying: u32, version: u32, quorum: u32, strikeStep: u64,
  from1: u32, step1: u32, from2: u32, step2: u32, from3: u32, step3: u32,
  beta: u32, concentration: u32, concentrationNanos: u64,
});
export const SetToken = open("SetToken", Tag.SET_TOKEN, {
  token: u8, version: u32, haircut: u32, cap: u64,
});
export const SetInstrument = open("SetInstrument", Tag.SET_INSTRUMENT, {
  instrument: u32, state: enumeration(InstrumentState), mode: enumeration(InstrumentMode),
  speedBumpMs: u32, auctionIntervalMs: u32,
  underlying: u32, kind: instrumentKind, expiryNs: u64, strikeAtoms: u64,
});
export const SetFeeSchedule = open("SetFeeSchedule", Tag.SET_FEE_SCHEDULE, {
  schedule: u32, version: u32,
  perpetualMaker: u32, perpetualTaker: u32, futureMaker: u32, futureTaker: u32,
  optionMaker: u32, optionTaker: u32,
});
export const AssignFees = open("AssignFees", Tag.ASSIGN_FEES, { account: u32, schedule: u32 });

// Signed by a trader

export const Place = trader("Place", Tag.PLACE, {
  instrument: u32, side, orderType, priceTicks: u32, lots: u64, timeInForce, flags: orderFlags,
  selfTradePrevention, group: u16, maxFeePpm: u32, label: bytes8,
});
export const Cancel = trader("Cancel", Tag.CANCEL, { order: u64 });
export const CancelAll = trader("CancelAll", Tag.CANCEL_ALL, {});
export const Amend = trader("Amend", Tag.AMEND, { order: u64, priceTicks: u32, lots: u64 });
export const SetProtection = trader("SetProtection", Tag.SET_PROTECTION, {
  protection: u8, intervalNs: u64, frozenNs: u64, limitNanos: u64,
});
export const ResetProtection = trader("ResetProtection", Tag.RESET_PROTECTION, { protection: u8 });
export const SetMarginMode = trader("SetMarginMode", Tag.SET_MARGIN_MODE, {
  mode: enumeration(MarginMode),
});
export const SetDeadMan = trader("SetDeadMan", Tag.SET_DEAD_MAN, { deadlineNs: u64 });

const Quote = struct("Quote", { instrument: u32, side, priceTicks: u32, lots: u64 });
export const QuoteBatch = checked(
  trader("QuoteBatch", Tag.QUOTE_BATCH, {
    protection: u8,
    postOnly: enumeration({ REJECT: PostOnly.REJECT, SLIDE: PostOnly.SLIDE }),
    maxFeePpm: u32,
    quotes: list(Quote, QUOTES_PER_BATCH_MAX),
  }),
  ({ quotes }) => {
    const keys = quotes.map((quote) => BigInt(quote.instrument) * 2n + BigInt(quote.side));
    return isAscending(keys) ? undefined : "quotes are not ascending by instrument and side";
  },
);
export const Withdraw = trader("Withdraw", Tag.WITHDRAW, {
  token: u8, recipient: address, amountAtoms: u64,
});
export const Transfer = trader("Transfer", Tag.TRANSFER, {
  recipient: u32, token: u8, amountAtoms: u64,
});
export const PositionTransfer = trader("PositionTransfer", Tag.POSITION_TRANSFER, {
  recipient: u32, instrument: u32, lots: u64,
});
export const PlaceTrigger = trader("PlaceTrigger", Tag.PLACE_TRIGGER, {
  instrument: u32, condition: enumeration(TriggerCondition), triggerTicks: u32, side,
  priceTicks: u32, lots: u64, timeInForce, reduceOnly: flag, selfTradePrevention, group: u16,
  maxFeePpm: u32, label: bytes8,
});
export const CancelTrigger = trader("CancelTrigger", Tag.CANCEL_TRIGGER, { trigger: u64 });
export const GrantSession = trader("GrantSession", Tag.GRANT_SESSION, {
  session: u8, key: address, ...scope,
});
export const RevokeSession = trader("RevokeSession", Tag.REVOKE_SESSION, { session: u8 });

const ComboLeg = struct("ComboLeg", { instrument: u32, ratio: i64 });
export const CreateCombo = checked(
  trader("CreateCombo", Tag.CREATE_COMBO, { legs: list(ComboLeg, LEGS_MAX) }),
  ({ legs }) => {
    const isEnough = legs.length >= COMBO_LEGS_MIN;
    return isEnough && isAscending(legs.map((leg) => BigInt(leg.instrument)))
      ? undefined
      : "legs are too few or not ascending by instrument";
  },
);

const BidLeg = struct("BidLeg", { instrument: u32, lots: i64 });
export const AuctionBid = checked(
  trader("AuctionBid", Tag.AUCTION_BID, {
    target: u32, maxCostAtoms: i64, legs: list(BidLeg, LEGS_MAX),
  }),
  ({ legs: rows }) => {
    const isSound = rows.length > 0 && isAscending(rows.map((row) => BigInt(row.instrument)));
    return isSound ? undefined : "legs are none or not ascending by instrument";
  },
);

// Signed by two traders: the first before the fields, the maker among them

const Leg = struct("Leg", { instrument: u32, takerLots: i64, priceTicks: u32 });
const legs = list(Leg, LEGS_MAX);
const RfqQuote = struct("RfqQuote", { ...traderHead, taker: u32, maxFeePpm: u32, legs });
const countersigned = { makerSession: unsigned(u8), makerSignature: unsigned(signature) };

/** Say why legs are not what an entry may hold, if they are not. */
function legsFlaw(rows: readonly Value<typeof Leg>[]): string | undefined {
  const isSound = rows.length > 0 && isAscending(rows.map((row) => BigInt(row.instrument)));
  return isSound ? undefined : "legs are none or not ascending by instrument";
}

const accepted = trader("AcceptQuote", Tag.ACCEPT_QUOTE, {
  maxFeePpm: u32, ...countersigned, quote: RfqQuote,
});
export const AcceptQuote = {
  ...checked(accepted, ({ quote }) => legsFlaw(quote.legs)),
  makerHash: ({ quote }: Value<typeof accepted.body>) => RfqQuote.hash(quote),
};
const block = trader("BlockTrade", Tag.BLOCK_TRADE, {
  maxFeePpm: u32, makerAccount: u32, makerNonce: u64, ...countersigned, legs,
});
export const BlockTrade = {
  ...checked(block, (terms) => legsFlaw(terms.legs)),
  makerHash: block.body.hash,
};

// Signed by a quorum of publishers

export const oracleHead = { underlying: u32, publishedNs: u64 };
const observations = list(
  struct("IndexObservation", { publisher: u8, priceAtoms: u64, signature }),
  PUBLISHERS_MAX,
);
const signatures = list(struct("SurfaceSignature", { publisher: u8, signature }), PUBLISHERS_MAX);

export const SurfaceSlice = struct("SurfaceSlice", {
  expiryNs: u64, a: i64, b: i64, rho: i64, m: i64, sigma: i64,
});
const slices = list(SurfaceSlice, EXPIRIES_PER_UNDERLYING_MAX);

export const IndexPrice = oracle(
  Tag.INDEX_PRICE,
  struct("IndexPrice", { ...oracleHead, observations }),
  (value) => value.observations,
);
export const VolSurface = oracle(
  Tag.VOL_SURFACE,
  struct("VolSurface", { ...oracleHead, slices, signatures }),
  (value) => value.signatures,
);

const curveHead = struct("CurveHead", {
  ...oracleHead, expiriesNs: list(u64, EXPIRIES_PER_UNDERLYING_MAX),
});

/** Forwards stand without a count of their own: there is one for each expiry. */
export interface ForwardCurveValues extends Value<typeof curveHead> {
  readonly observations: readonly {
    readonly publisher: number;
    readonly forwardsAtoms: readonly bigint[];
    readonly signature: Uint8Array;
  }[];
}

function forwardObservation(expiries: number) {
  return struct("ForwardObservation", {
    publisher: u8, forwardsAtoms: several(u64, expiries), signature,
  });
}

export const ForwardCurve = oracle<ForwardCurveValues>(
  Tag.FORWARD_CURVE,
  {
    ...curveHead,
    name: "ForwardCurve",
    write(value) {
      const rows = list(forwardObservation(value.expiriesNs.length), PUBLISHERS_MAX);
      return concat(curveHead.write(value), rows.write(value.observations));
    },
    read(reader) {
      const head = curveHead.read(reader);
      const rows = list(forwardObservation(head.expiriesNs.length), PUBLISHERS_MAX);
      return { ...head, observations: rows.read(reader) };
    },
  },
  (value) => value.observations,
);

// From anyone

export const Tick = open("Tick", Tag.TICK, { account: u32, order: u64 });
export const BuyCollateral = trader("BuyCollateral", Tag.BUY_COLLATERAL, {
  target: u32, token: u8, amountAtoms: u64, priceMaxAtoms: u64,
});
export const Remark = open("Remark", Tag.REMARK, { expiry: u32, cursor: u32 });
export const ListInstrument = open("ListInstrument", Tag.LIST_INSTRUMENT, {
  underlying: u32, kind: instrumentKind, expiryNs: u64, strikeAtoms: u64,
});

export const FireTrigger = open("FireTrigger", Tag.FIRE_TRIGGER, { trigger: u64 });
export const Uncross = open("Uncross", Tag.UNCROSS, { instrument: u32 });
export const ReleaseInstrument = open("ReleaseInstrument", Tag.RELEASE_INSTRUMENT, {
  instrument: u32,
});
export const StartAuction = open("StartAuction", Tag.START_AUCTION, { account: u32 });
export const StartConversion = open("StartConversion", Tag.START_CONVERSION, { account: u32 });
export const SettleVariation = open("SettleVariation", Tag.SETTLE_VARIATION, { account: u32 });
export const Deleverage = open("Deleverage", Tag.DELEVERAGE, { account: u32, instrument: u32 });
export const SettleExpiry = open("SettleExpiry", Tag.SETTLE_EXPIRY, { expiry: u32 });
export const SettleAccount = open("SettleAccount", Tag.SETTLE_ACCOUNT, {
  account: u32, cursor: u32,
});
export const Liquidate = open("Liquidate", Tag.LIQUIDATE, { account: u32, instrument: u32 });

/** Every command. */
const TABLE = [
  Deposit, GrantRequest, RevokeRequest, SetParameters, SetPublisher, SetTerms, SetInstrument,
  SetFeeSchedule, AssignFees, SetUnderlying, SetToken, SetSettlement,
  Place, Cancel, CancelAll, Amend, QuoteBatch,
  SetProtection, ResetProtection, SetDeadMan, SetMarginMode,
  PlaceTrigger, CancelTrigger, Withdraw, Transfer, PositionTransfer, GrantSession, RevokeSession,
  CreateCombo, AcceptQuote, BlockTrade,
  IndexPrice, ForwardCurve, VolSurface,
  Tick, Remark, ListInstrument, FireTrigger, Uncross, ReleaseInstrument,
  Liquidate, StartAuction, AuctionBid, Deleverage, SettleExpiry, SettleAccount,
  StartConversion, BuyCollateral, SettleVariation,
] as const;

export const COMMANDS: ReadonlyMap<number, Layout<unknown>> = new Map(
  TABLE.map((layout) => [layout.tag, layout]),
);
