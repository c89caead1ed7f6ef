"""What a trader does with several legs: offers to another trader, combos."""

from collections.abc import Sequence

import msgspec

from proofbook.api.actions import ComboLegRow, ComboReply, DealLeg, DealReply, Offer
from proofbook.api.convert import from_hex, hex_text
from proofbook.client.signer import Signer
from proofbook.client.steps import lots_of, number_of, ticks_of
from proofbook.protocol.commands import AcceptQuote, ComboLeg, CreateCombo, Leg, RfqQuote


class DealActions(Signer):
    """Trades with another trader outside the books, and opens books of combos."""

    def offer(
        self,
        legs: Sequence[DealLeg],
        *,
        taker: int = 0,
        max_fee_ppm: int | None = None,
        expires_ns: int | None = None,
    ) -> Offer:
        """Return a signed quote for an account, or with taker 0 for whoever accepts first.

        Nothing is sent: give it to the taker. Using its nonce otherwise withdraws it.
        """
        account, nonce, default_expires_ns = self.head()
        expires_ns = default_expires_ns if expires_ns is None else expires_ns
        fee_ppm = self._fee_ppm(legs) if max_fee_ppm is None else max_fee_ppm
        counted = tuple(sorted(map(self._leg, legs), key=lambda leg: leg.instrument))
        quote = RfqQuote(account, nonce, expires_ns, taker, fee_ppm, counted)
        return Offer(
            account=account,
            nonce=str(nonce),
            expires_ns=str(expires_ns),
            taker=taker,
            max_fee_ppm=fee_ppm,
            legs=list(legs),
            session=self.session,
            signature=hex_text(self.sign(quote)),
        )

    async def accept(self, offer: Offer, *, max_fee_ppm: int | None = None) -> DealReply:
        """Take an offer as a whole.

        Raises OffStep, OutOfRange, NotEncodable, ApiError (Rejected with a receipt),
        ReceiptInvalid, ConnectionLost.
        """
        fee_ppm = self._fee_ppm(offer.legs) if max_fee_ppm is None else max_fee_ppm
        counted = tuple(sorted(map(self._leg, offer.legs), key=lambda leg: leg.instrument))
        quote = RfqQuote(
            offer.account,
            number_of(offer.nonce, "accept_quote"),
            number_of(offer.expires_ns, "accept_quote"),
            offer.taker,
            offer.max_fee_ppm,
            counted,
        )
        command = AcceptQuote(
            *self.head(), fee_ppm, offer.session, from_hex(offer.signature), quote
        )
        params = {"quote": msgspec.to_builtins(offer), "max_fee_ppm": fee_ppm}
        return await self.act("accept_quote", command, params, DealReply)

    async def create_combo(self, legs: Sequence[ComboLegRow]) -> ComboReply:
        """Open the book of a combo; the client knows its row afterwards."""
        rows = [self.client.instruments[leg.instrument] for leg in legs]
        numbers = [row.instrument for row in rows]
        counted = [ComboLeg(number, leg.ratio) for number, leg in zip(numbers, legs, strict=True)]
        command = CreateCombo(*self.head(), tuple(sorted(counted, key=lambda leg: leg.instrument)))
        params = {"legs": [msgspec.to_builtins(leg) for leg in legs]}
        reply = await self.act("create_combo", command, params, ComboReply)
        await self.client.refresh_instruments()
        return reply

    def _leg(self, leg: DealLeg) -> Leg:
        row = self.client.instruments[leg.instrument]
        lots = lots_of(leg.amount, row)
        taker_lots = lots if leg.side == "buy" else -lots
        return Leg(row.instrument, taker_lots, ticks_of(leg.price, row))

    def _fee_ppm(self, legs: Sequence[DealLeg]) -> int:
        """Return the most that any of the instruments charges."""
        rows = [self.client.instruments[leg.instrument] for leg in legs]
        return max((max(row.maker_fee_ppm, row.taker_fee_ppm) for row in rows), default=0)
