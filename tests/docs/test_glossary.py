"""The glossary has the words by which the state machine's modules call what they are about."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROWS = re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", (ROOT / "docs/glossary.md").read_text(), re.M)[1:]
WORDS = [word for word, _ in ROWS if set(word) != {"-"}]
TITLE = re.compile(r'"""([A-Z][a-z]+): ')


def singular(word: str) -> str:
    """Return a word as the glossary would have it."""
    if word.endswith("ies"):
        return word.removesuffix("ies") + "y"
    return word.removesuffix("s")


def test_words_are_in_order_and_each_is_there_once() -> None:
    assert len(WORDS) > 100, "rows are found"
    in_order = sorted(set(WORDS), key=lambda word: (word.casefold(), word))
    assert in_order == WORDS


@pytest.mark.parametrize("word", ["auction", "entry", "epoch", "mark", "premium", "quote", "slice"])
def test_both_meanings_of_a_word_of_the_trade_are_named(word: str) -> None:
    assert sum(row.partition(",")[0] == word for row in WORDS) >= 2


def test_what_a_module_of_the_spec_is_about_is_in_the_glossary() -> None:
    files = sorted((ROOT / "src/proofbook/spec").glob("*.py"))
    titles = [found[1].lower() for path in files if (found := TITLE.match(path.read_text()))]
    assert len(titles) > 30, "titles are found"
    known = {word.partition(",")[0] for word in WORDS}
    assert [title for title in titles if not {title, singular(title)} & known] == []


def test_the_state_machine_rejects_and_leaves_faults_to_the_outside_world() -> None:
    files = [
        *(ROOT / "src/proofbook/spec").glob("*.py"),
        *(ROOT / "crates/kernel/src").glob("*.rs"),
    ]
    word = re.compile(r"(?i)(?<!de)fault")
    assert len(files) > 100, "both engines are found"
    assert [path.name for path in files if word.search(path.read_text())] == []
