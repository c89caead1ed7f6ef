"""Fees: what an account pays in an instrument, by its schedule or by the instrument's terms."""

from proofbook.protocol.commands import AssignFees, SetFeeSchedule
from proofbook.protocol.events import FeesAssigned, FeeScheduleSet
from proofbook.protocol.limits import FEE_PPM_MAX, Reject
from proofbook.spec.payoff import payoff_of
from proofbook.spec.prices import legs_of
from proofbook.spec.world import World

TERMS_OF_INSTRUMENT = 0
"""The schedule of accounts that have none."""


def maker_fee_ppm(world: World, account: int, instrument: int) -> int:
    """Return the fee of an account's resting orders in an instrument (by slot), in ppm."""
    schedule = world.accounts[account].fee_schedule
    if schedule == TERMS_OF_INSTRUMENT:
        return world.instruments[instrument].maker_fee_ppm
    fees_ppm = world.fee_schedules[schedule].maker_fee_ppm
    return max(fees_ppm[place] for place in _places(world, instrument))


def taker_fee_ppm(world: World, account: int, instrument: int) -> int:
    """Return the fee of an account's incoming orders in an instrument (by slot), in ppm."""
    schedule = world.accounts[account].fee_schedule
    if schedule == TERMS_OF_INSTRUMENT:
        return world.instruments[instrument].taker_fee_ppm
    fees_ppm = world.fee_schedules[schedule].taker_fee_ppm
    return max(fees_ppm[place] for place in _places(world, instrument))


def _places(world: World, instrument: int) -> list[int]:
    """Return where schedules keep the fees of an instrument; the highest of a combo's counts."""
    legs = legs_of(world.instruments[instrument]) or [(instrument, 1)]
    return [payoff_of(world.instruments[leg].kind).terms_place for leg, _ in legs]


def set_fee_schedule(world: World, command: SetFeeSchedule) -> Reject | None:
    """Set a schedule's fees; a resting order pays at most what its owner signed, as always.

    Rejects  ARENA_FULL, FEE_SCHEDULE_NOT_FOUND (neither one that is there nor the next),
             FEE_OUT_OF_RANGE, VERSION_MISMATCH.
    """
    is_new = command.schedule == world.fee_schedules.high_water
    if is_new and not world.fee_schedules.has_room(1):
        return Reject.ARENA_FULL
    if not is_new and command.schedule not in world.fee_schedules:
        return Reject.FEE_SCHEDULE_NOT_FOUND
    maker_ppm = [
        command.perpetual_maker_ppm, command.future_maker_ppm, command.option_maker_ppm,
    ]  # fmt: skip
    taker_ppm = [
        command.perpetual_taker_ppm, command.future_taker_ppm, command.option_taker_ppm,
    ]  # fmt: skip
    if max(*maker_ppm, *taker_ppm) > FEE_PPM_MAX:
        return Reject.FEE_OUT_OF_RANGE
    version = 0 if is_new else world.fee_schedules[command.schedule].version
    if command.version != version + 1:
        return Reject.VERSION_MISMATCH
    if is_new:
        world.fee_schedules.allocate()
    record = world.fee_schedules.edit(command.schedule)
    record.version = command.version
    record.maker_fee_ppm, record.taker_fee_ppm = maker_ppm, taker_ppm
    world.emit(FeeScheduleSet(command.schedule, command.version))
    return None


def assign_fees(world: World, command: AssignFees) -> Reject | None:
    """Put an account under a schedule. Rejects ACCOUNT_NOT_FOUND, FEE_SCHEDULE_NOT_FOUND."""
    if not world.account_exists(command.account):
        return Reject.ACCOUNT_NOT_FOUND
    is_schedule = command.schedule in world.fee_schedules
    if command.schedule != TERMS_OF_INSTRUMENT and not is_schedule:
        return Reject.FEE_SCHEDULE_NOT_FOUND
    world.accounts.edit(command.account).fee_schedule = command.schedule
    world.emit(FeesAssigned(command.account, command.schedule))
    return None
