"""The reference of the configuration, written from what is read."""

from proofbook.operation.configuration import (
    REQUIRED,
    allowed,
    default_of,
    description,
    sections,
    settings,
)

HEAD = """\
# Configuration

Written by `tools/reference.py` from `src/proofbook/operation/configuration.py`.

`proofbook serve --config venue.toml` reads one TOML file; `--check` reads it, says what is wrong
and ends. A key that is not listed here is refused, and every error names the key, its value and
what it takes. Paths begin at the file's folder. Private keys are in files of their own that nobody
else may read (`chmod 600`), as 64 hex digits. `proofbook up` and `proofbook demo` run the same
parts on a chain of their own; `up --config` takes the same file.

```toml
[chain]
rpc = "http://127.0.0.1:8545"
contract = "0x5fbdb2315678afecb367f032d93f642f64180aa3"
operator_key_file = "operator.key"

[sequencer]
key_file = "sequencer.key"

[listing]
every_seconds = 60.0

[history]
database = "history.db"
follow = true
```"""


def page() -> str:
    """Return the reference of all settings, a table for each section."""
    lines: list[str] = []
    for name, kind in sections().items():
        lines += ["", f"## `[{name}]`", "", str(kind.__doc__), ""]
        lines += ["| setting | takes | default | |", "|---|---|---|---|"]
        for key, hint in settings(kind).items():
            default = default_of(kind, key)
            shown = default if default == REQUIRED else f"`{default}`"
            lines.append(f"| `{key}` | {allowed(hint)} | {shown} | {description(hint)} |")
    return "\n".join([HEAD, *lines]) + "\n"
