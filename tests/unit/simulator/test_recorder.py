"""What a measurement of a venue counts, and what it does not."""

from types import SimpleNamespace
from typing import Any

import pytest

from proofbook.simulator.pipeline import recorder
from proofbook.simulator.pipeline.recorder import Percentiles, Recorder


def test_what_percentiles_take_is_no_part_of_the_processor_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spent = [0.0]

    def slow_percentiles(_: Any) -> Percentiles:
        spent[0] += 1.0
        return Percentiles(0, 0, 0, 0, 0, 0)

    times = SimpleNamespace(process_time=lambda: spent[0], thread_time=lambda: spent[0])
    monkeypatch.setattr(recorder, "time", times)
    monkeypatch.setattr(recorder, "percentiles", slow_percentiles)
    node: Any = SimpleNamespace(
        sequencer=SimpleNamespace(watch_stages=str, subscribe=str), metrics=SimpleNamespace()
    )
    recording = Recorder(node)
    recording.begin()
    spent[0] += 0.25
    recorded = recording.end()
    assert spent[0] > 1.0, "percentiles were slow"
    assert recorded.processor_seconds == recorded.loop_thread_seconds == 0.25
