"""Margin as the interface shows it: columns in words, money as decimals."""

from proofbook.api.display import usdc_text
from proofbook.api.margin import ExpiryMarginReply, MarginReply, UnderlyingMarginReply
from proofbook.protocol.engine import Engine
from proofbook.protocol.limits import (
    CORE_COLUMNS,
    FRACTION_ONE_PPM,
    TAIL_MOVES_PPM,
    ArenaId,
    MarginMode,
)
from proofbook.protocol.margin_report import ExpiryReport, MarginReport, UnderlyingReport
from proofbook.protocol.records import ExpiryRecord, ParametersRecord, UnderlyingRecord

PARAMETERS_SLOT = 1
VOLATILITY_WORDS = ("volatility up", "volatility unmoved", "volatility down")
SPOT_STEPS_PER_RANGE = 4


def margin_reply(engine: Engine, report: MarginReport, gained_atoms: int = 0) -> MarginReply:
    """Return a report as the interface shows it, with equity that is larger by a gain."""
    equity = report.equity_atoms + gained_atoms
    return MarginReply(
        mode="portfolio" if report.mode == MarginMode.PORTFOLIO else "standard",
        equity=usdc_text(equity),
        collateral=usdc_text(report.collateral_atoms),
        stale_low=usdc_text(report.stale_low_atoms),
        stale_high=usdc_text(report.stale_high_atoms),
        initial=usdc_text(report.initial_atoms),
        maintenance=usdc_text(report.maintenance_atoms),
        positions=usdc_text(report.positions_atoms),
        concentration=usdc_text(report.concentration_atoms),
        confidence=usdc_text(report.confidence_atoms),
        reserve=usdc_text(report.reserve_atoms),
        underlyings=[_underlying_reply(engine, each) for each in report.underlyings],
        covers_initial=equity + report.stale_low_atoms >= report.initial_atoms,
        covers_maintenance=equity + report.stale_high_atoms >= report.maintenance_atoms,
    )


def _underlying_reply(engine: Engine, report: UnderlyingReport) -> UnderlyingMarginReply:
    record = UnderlyingRecord.unpack(engine.read(ArenaId.UNDERLYINGS, report.underlying))
    parameters = ParametersRecord.unpack(engine.read(ArenaId.PARAMETERS, PARAMETERS_SLOT))
    return UnderlyingMarginReply(
        underlying=record.symbol.rstrip(b"\0").decode(),
        worst=column_words(report.worst_column, parameters.spot_range_ppm),
        loss=usdc_text(report.worst_loss_atoms),
        is_stale=report.is_stale,
        expiries=[_expiry_reply(engine, each) for each in report.expiries],
    )


def _expiry_reply(engine: Engine, report: ExpiryReport) -> ExpiryMarginReply:
    record = ExpiryRecord.unpack(engine.read(ArenaId.EXPIRIES, report.expiry))
    return ExpiryMarginReply(
        expiry_ns=str(record.expiry_ns) if record.expiry_ns else None,
        skew=usdc_text(report.skew_atoms),
        basis=usdc_text(report.basis_atoms),
        naked=usdc_text(report.naked_atoms),
    )


def column_words(column: int, spot_range_ppm: int) -> str:
    """Return a column of core or tails in words, as in `spot -16 %, volatility up`."""
    if column >= CORE_COLUMNS:
        move_ppm = TAIL_MOVES_PPM[column - CORE_COLUMNS]
        return f"spot {_percent(move_ppm)}, volatility up, weighted"
    step, volatility = divmod(column, len(VOLATILITY_WORDS))
    move_ppm = spot_range_ppm * (step - SPOT_STEPS_PER_RANGE) // SPOT_STEPS_PER_RANGE
    spot = f"spot {_percent(move_ppm)}" if move_ppm else "spot unmoved"
    return f"{spot}, {VOLATILITY_WORDS[volatility]}"


def _percent(move_ppm: int) -> str:
    return f"{move_ppm * 100 / FRACTION_ONE_PPM:+g} %"
