"""The SDK for programs without an event loop: one runs on a thread, and calls wait for it."""

import asyncio
from collections.abc import Coroutine, Sequence
from pathlib import Path
from threading import Thread
from typing import Any, Self, TypeVar

from proofbook.api.signing import Key
from proofbook.client.answers import Row
from proofbook.client.client import CLOCK_SECONDS_MAX, Client, connect
from proofbook.client.trader import Trader

Result = TypeVar("Result")


class Blocking:
    """A client whose coroutines are awaited by `do`: `venue.do(venue.client.book("BTC-PERP"))`."""

    def __init__(
        self,
        url: str,
        *,
        chain_id: int | None = None,
        contract: bytes | str | None = None,
        sequencer: bytes | str | None = None,
        pinned: Sequence[Row] = (),
        clock_seconds_max: float = CLOCK_SECONDS_MAX,
        receipts: Path | None = None,
        is_patient: bool = True,
    ) -> None:
        """Connect as `connect` does, and raise what it raises."""
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="proofbook", daemon=True)
        self._thread.start()
        try:
            connecting = connect(
                url,
                chain_id=chain_id,
                contract=contract,
                sequencer=sequencer,
                pinned=pinned,
                clock_seconds_max=clock_seconds_max,
                receipts=receipts,
                is_patient=is_patient,
            )
            self.client: Client = self.do(connecting)
        except BaseException:
            self._end()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def do(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        """Return what a coroutine of the SDK returns, or raise what it raises."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def trader(self, key: Key, account: int, session: int = 0) -> Trader:
        """Return what signs and sends the actions of one account; each goes through `do`."""
        return self.client.trader(key, account, session)

    def close(self) -> None:
        """Close the connection and end the thread."""
        self.do(self.client.close())
        self._end()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
