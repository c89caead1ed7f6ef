"""The configuration: what it takes, and what it says about what it does not take."""

import re
import tomllib
from pathlib import Path

import pytest

from proofbook.operation.configuration import (
    Configuration,
    allowed,
    decode,
    default_of,
    sections,
    settings,
)
from proofbook.operation.errors import (
    ConfigurationFault,
    ConfigurationUnreadable,
    KeyFileFault,
    SettingInvalid,
    SettingMissing,
    SettingUnknown,
)
from proofbook.operation.key_file import read_key
from proofbook.operation.page import HEAD

CONTRACT = "0x" + "1a" * 20
LEAST = f"""
[chain]
rpc = "http://127.0.0.1:8545"
contract = "{CONTRACT}"
operator_key_file = "operator.key"
[sequencer]
key_file = "sequencer.key"
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "venue.toml"
    path.write_text(text)
    return path


def test_least_configuration_has_a_default_for_everything_else(tmp_path: Path) -> None:
    read = Configuration.read(written(tmp_path, LEAST))
    assert read.interface.host == "127.0.0.1" and read.logs.level == "info"
    assert read.history.database == "" and read.chain.contract == CONTRACT


def test_paths_begin_at_the_folder_of_the_file(tmp_path: Path) -> None:
    text = LEAST + 'journal = "/var/journal"\n[history]\ndatabase = "history.db"\n'
    read = Configuration.read(written(tmp_path, text))
    assert read.sequencer.key_file == str(tmp_path / "sequencer.key")
    assert read.chain.operator_key_file == str(tmp_path / "operator.key")
    assert read.sequencer.journal == "/var/journal"
    assert read.history.database == str(tmp_path / "history.db")
    server = Configuration.read(
        written(tmp_path, LEAST + '[history]\ndatabase = "postgresql://a@b/c"\n')
    )
    assert server.history.database == "postgresql://a@b/c"


def with_setting(section: str, line: str) -> str:
    """Return the least configuration with a line more in a section, or another in its place."""
    key = line.partition(" = ")[0]
    head = f"[{section}]\n"
    text = LEAST if head in LEAST else LEAST + head
    first, _, rest = text.partition(head)
    own, bracket, others = rest.partition("[")
    kept = re.sub(rf"^{key} = .*\n", "", own, flags=re.MULTILINE)
    return first + head + line + "\n" + kept + bracket + others


@pytest.mark.parametrize(
    ("section", "line", "message"),
    [
        ("chain", "rpc = ''", "chain.rpc is '', must be text that is not empty"),
        ("chain", "contract = '0x12'", "chain.contract is '0x12', must be 0x and 40 hex digits"),
        ("chain", "confirmations = -1", "chain.confirmations is -1, must be a whole number, at"),
        ("chain", "confirmations = 1.5", "chain.confirmations is 1.5, must be a whole number"),
        ("chain", "finality = 'latest'", "must be one of blocks, finalized, safe"),
        ("chain", "quiet_seconds_max = -1", "chain.quiet_seconds_max is -1, must be a whole"),
        ("chain", "append_seconds = 0.0", "chain.append_seconds is 0.0, must be a number, above 0"),
        ("chain", "price_max_wei = -1", "chain.price_max_wei is -1, must be a whole number, at le"),
        ("sequencer", "epoch = 0", "sequencer.epoch is 0, must be a whole number, at least 1"),
        ("sequencer", "key_file = 7", "sequencer.key_file is 7, must be text"),
        ("sequencer", "promise_seconds_max = 1801", "at least 1, at most 1800"),
        (
            "sequencer",
            "promise_seconds_max = 59",
            "promise_seconds is 60, must be at most sequencer.promise_seconds_max, which is 59",
        ),
        ("sequencer", 'key_file = "a\\u0000"', "sequencer.key_file is 'a\\x00', must be text with"),
        (
            "interface",
            'host = "\\u0000"',
            "interface.host is '\\x00', must be text without a zero b",
        ),
        ("history", 'database = "h\\u0000"', "must be text without a zero byte"),
        ("interface", "port = 70000", "interface.port is 70000, must be a whole number, at least"),
        ("interface", "port = true", "interface.port is True, must be a whole number"),
        ("interface", "host = ''", "interface.host is '', must be text that is not empty"),
        ("interface", "request_seconds_max = 0", "interface.request_seconds_max is 0, must be a n"),
        (
            "rates",
            "orders_burst = 3",
            "rates.orders_burst is 3, must be a whole number, at least 4",
        ),
        ("rates", "orders_per_second = 0", "rates.orders_per_second is 0, must be a whole number"),
        ("rates", "cancels_burst = 'all'", "rates.cancels_burst is 'all', must be a whole number"),
        ("rates", "requests_burst = 19", "rates.requests_burst is 19, must be a whole number, at"),
        ("rates", "requests_per_second = 1.5", "rates.requests_per_second is 1.5, must be a w"),
        ("history", "follow = 1", "history.follow is 1, must be true or false"),
        ("history", "follow = true", "history.database is '', must be a database, because"),
        ("history", "database = 'foo://bar'", "is 'foo://bar', must be a file, or postgresql://…"),
        ("history", "database = '.'", "history.database is '.', must be a file, or postgresql"),
        ("logs", "level = 'loud'", "logs.level is 'loud', must be one of debug, error, info, w"),
        ("logs", "format = 'xml'", "logs.format is 'xml', must be one of json, text"),
        ("drain", "settle_seconds_max = -0.1", "drain.settle_seconds_max is -0.1, must be a num"),
    ],
)
def test_values_out_of_range_are_named_with_what_is_allowed(
    section: str, line: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(SettingInvalid) as caught:
        Configuration.read(written(tmp_path, with_setting(section, line)))
    assert message in str(caught.value)


@pytest.mark.parametrize("name", list(sections()))
def test_keys_and_sections_that_are_none_are_refused_with_those_that_are(
    name: str, tmp_path: Path
) -> None:
    with pytest.raises(SettingUnknown, match=rf"{name}\.colour is no setting; there are {name}\."):
        Configuration.read(written(tmp_path, with_setting(name, "colour = 1")))
    with pytest.raises(SettingUnknown, match="chains is no setting; there are chain, drain"):
        Configuration.read(written(tmp_path, LEAST + "[chains]\n"))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        # How deep is too deep is the interpreter's limit, which a library of the tests raises.
        ("a = " + "[" * 3_000, "too deep|end of document"),
        ("a = " + "{b = " * 3_000, "too deep|end of document"),
        ("a = " + "[" * 100_000, "too deep|end of document"),
        ("[a]\nb = " + "9" * 5_000, "4300 digits"),
        ("[chain", "end of document"),
    ],
)
def test_a_file_that_is_no_toml_is_named(text: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationUnreadable, match=reason):
        Configuration.read(written(tmp_path, text))


def test_a_path_that_is_none_is_named() -> None:
    with pytest.raises(ConfigurationUnreadable, match="null byte"):
        Configuration.read(Path("a\0b"))


def test_a_section_that_is_a_value_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingInvalid, match=r"logs is 'info', must be a section: \[logs\]"):
        Configuration.read(written(tmp_path, "logs = 'info'\n" + LEAST))


@pytest.mark.parametrize(
    "key", ["chain.rpc", "chain.contract", "chain.operator_key_file", "sequencer.key_file"]
)
def test_what_has_no_default_is_asked_for_by_name(key: str, tmp_path: Path) -> None:
    text = re.sub(rf"^{key.partition('.')[2]} = .*\n", "", LEAST, flags=re.MULTILINE)
    with pytest.raises(SettingMissing, match=re.escape(key) + " is missing: "):
        Configuration.read(written(tmp_path, text))


def test_files_that_are_none_or_no_toml_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationUnreadable, match="No such file"):
        Configuration.read(tmp_path / "none.toml")
    for text in ("[chain", "a = 1\na = 2", "\x00"):
        with pytest.raises(ConfigurationUnreadable, match=r"venue\.toml"):
            Configuration.read(written(tmp_path, text))
    (tmp_path / "venue.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationUnreadable):
        Configuration.read(tmp_path / "venue.toml")


def test_every_default_is_one_that_its_setting_takes() -> None:
    for name, kind in sections().items():
        for key in settings(kind):
            default = default_of(kind, key)
            if default != "required":
                text = with_setting(name, f"{key} = {default}")
                assert isinstance(decode(Configuration, tomllib.loads(text)), Configuration)


def test_every_setting_says_what_it_takes_and_what_it_is_for() -> None:
    page = (Path(__file__).parents[2] / "docs/reference/configuration.md").read_text()
    for kind in sections().values():
        for key, hint in settings(kind).items():
            assert f"| `{key}` | {allowed(hint)} |" in page


def test_the_example_of_the_page_is_read(tmp_path: Path) -> None:
    example = HEAD.partition("```toml\n")[2].partition("```")[0]
    assert Configuration.read(written(tmp_path, example)).history.follow


# Key files


def key_file(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / "a.key"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_a_key_is_read_with_or_without_its_prefix(tmp_path: Path) -> None:
    for text in ("11" * 32, "0x" + "11" * 32 + "\n"):
        assert read_key("chain.operator_key_file", key_file(tmp_path, text)) == b"\x11" * 32


@pytest.mark.parametrize("text", ["", "11" * 31, "11" * 33, "zz" * 32, "00" * 32, "ff" * 32])
def test_a_file_without_a_key_is_refused_and_never_shown(text: str, tmp_path: Path) -> None:
    with pytest.raises(KeyFileFault, match=r"sequencer\.key_file names .*64 hex digits") as caught:
        read_key("sequencer.key_file", key_file(tmp_path, text))
    assert not text or text not in str(caught.value)


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    for mode in (0o640, 0o604, 0o666):
        with pytest.raises(KeyFileFault, match="chmod 600"):
            read_key("sequencer.key_file", key_file(tmp_path, "11" * 32, mode))


def test_a_key_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationFault, match="No such file"):
        read_key("sequencer.key_file", tmp_path / "none.key")
