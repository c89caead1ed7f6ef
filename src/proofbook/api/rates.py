"""The JSON of rate limits."""

from proofbook.api.schema import U8, U32, Params, Reply


class RateLimitsParams(Params, frozen=True, kw_only=True):
    """With an account, what is left to the key in a session of it; 0 is the owner's."""

    account: U32 | None = None
    session: U8 = 0


class RateReply(Reply, frozen=True, kw_only=True):
    """Tokens that come in each second, how many there are at most, and how many there are."""

    name: str
    per_second: int
    burst: int
    left: int | None


class RateLimitsReply(Reply, frozen=True, kw_only=True):
    """Of this connection and of a key; where there are none, nothing is limited.

    `costs`: the tokens that a method takes of `requests`, where they are more than one. A signed
    method takes one of `orders` or `cancels`, a batch one for every eight quotes begun.
    """

    connection: list[RateReply]
    key: list[RateReply]
    costs: dict[str, int]
