"""An agenda gives what is due in order, and does not grow with what is moved or dropped."""

from hypothesis import given
from hypothesis import strategies as st

from proofbook.protocol.agenda import LEFT_MIN, Agenda


def test_keys_are_taken_when_they_are_due_in_order() -> None:
    agenda = Agenda[int]()
    for key, due in ((1, 30), (2, 10), (3, 20)):
        agenda.put(key, due)
    assert agenda.take(9) == []
    assert agenda.take(20) == [2, 3]
    assert agenda.first() == 30 and len(agenda) == 1
    assert agenda.take(99) == [1] and agenda.first() is None


def test_a_key_that_is_moved_is_due_once_and_then() -> None:
    agenda = Agenda[int]()
    agenda.put(1, 10)
    agenda.put(1, 30)
    assert agenda.take(29) == []
    agenda.put(1, 10)
    assert agenda.take(29) == [1] and not agenda


def test_moving_and_dropping_for_ever_takes_no_more_place() -> None:
    agenda = Agenda[int]()
    for key in range(10):
        agenda.put(key, 1_000_000)
    for moved in range(100_000):
        agenda.put(moved % 10, 1_000_000 + moved)
        agenda.put(1_000 + moved, 2_000_000)
        agenda.drop(1_000 + moved)
        assert agenda.size <= 2 * len(agenda) + LEFT_MIN + 1
    assert len(agenda) == 10


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 50), st.booleans()), max_size=300))
def test_an_agenda_is_a_sorted_dictionary(steps: list[tuple[int, int, bool]]) -> None:
    agenda, model = Agenda[int](), dict[int, int]()
    for key, due, is_put in steps:
        if is_put:
            agenda.put(key, due)
            model[key] = due
        elif key % 3:
            agenda.drop(key)
            model.pop(key, None)
        else:
            wanted = sorted((when, each) for each, when in model.items() if when <= due)
            assert agenda.take(due) == [each for _, each in wanted]
            model = {each: when for each, when in model.items() if when > due}
        assert agenda.first() == min(model.values(), default=None)
        assert sorted(agenda.keys()) == sorted(model)
