"""The facade for programs without an event loop takes what the SDK takes."""

from inspect import signature

from proofbook.client import Blocking, connect


def test_every_option_of_connect_is_one_of_the_facade() -> None:
    asked, facade = signature(connect).parameters, dict(signature(Blocking).parameters)
    assert facade.keys() == asked.keys()
    assert [each.annotation for each in asked.values()] == [
        facade[name].annotation for name in asked
    ]
    different = {name for name in asked if asked[name].default != facade[name].default}
    assert different == {"is_patient"}, "who waits for answers does so through a broken line, too"
