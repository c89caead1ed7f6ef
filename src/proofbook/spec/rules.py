"""What a book takes in each of its states.

| state       | any order | post-only | reduce-only | cancel | trades |
|-------------|-----------|-----------|-------------|--------|--------|
| OPEN        | yes       | yes       | yes         | yes    | yes    |
| PRE_OPEN    | to rest   | yes       | to rest     | yes    | no     |
| CANCEL_ONLY | no        | no        | no          | yes    | no     |
| POST_ONLY   | no        | yes       | no          | yes    | no     |
| HALTED      | no        | no        | no          | yes    | no     |
| SETTLING    | no        | no        | yes         | yes    | yes    |
| EXPIRED     | no        | no        | no          | yes    | no     |
"""

from dataclasses import dataclass

from proofbook.protocol.limits import InstrumentMode, InstrumentState
from proofbook.protocol.records import InstrumentRecord


@dataclass(frozen=True, slots=True)
class Rules:
    """What a state allows beside cancels, which every state allows."""

    any_order: bool = False
    post_only: bool = False
    reduce_only: bool = False
    trades: bool = False


RULES: dict[int, Rules] = {
    InstrumentState.OPEN: Rules(True, True, True, True),
    InstrumentState.PRE_OPEN: Rules(True, True, True, False),
    InstrumentState.CANCEL_ONLY: Rules(),
    InstrumentState.POST_ONLY: Rules(post_only=True),
    InstrumentState.HALTED: Rules(),
    InstrumentState.SETTLING: Rules(reduce_only=True, trades=True),
    InstrumentState.EXPIRED: Rules(),
}


def trades_at_once(instrument: InstrumentRecord) -> bool:
    """Whether an order that reaches another trades with it, and does not rest for an auction."""
    return RULES[instrument.state].trades and instrument.mode != InstrumentMode.BATCH_AUCTION
