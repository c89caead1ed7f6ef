"""What keeps a venue from being run as it is configured.

ConfigurationFault
├── ConfigurationUnreadable  no file, or no TOML
├── SettingUnknown           a key that is none
├── SettingMissing           a key without which there is no venue
├── SettingInvalid           a value that the key does not take
├── KeyFileFault             a file of a private key that holds none, or that others may read
└── OperatorDisagrees        the chain names another operator than the key's
"""

from collections.abc import Sequence
from pathlib import Path


class ConfigurationFault(Exception):
    """Anything that whoever wrote the configuration can mend."""


class ConfigurationUnreadable(ConfigurationFault):
    """Operands: path, reason."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"cannot read {path}: {reason}")
        self.path = path
        self.reason = reason


class SettingUnknown(ConfigurationFault):
    """Operands: key, known."""

    def __init__(self, key: str, known: Sequence[str]) -> None:
        super().__init__(f"{key} is no setting; there are {', '.join(known)}")
        self.key = key
        self.known = tuple(known)


class SettingMissing(ConfigurationFault):
    """Operands: key, allowed."""

    def __init__(self, key: str, allowed: str) -> None:
        super().__init__(f"{key} is missing: {allowed}")
        self.key = key
        self.allowed = allowed


class SettingInvalid(ConfigurationFault):
    """Operands: key, value, allowed."""

    def __init__(self, key: str, value: object, allowed: str) -> None:
        super().__init__(f"{key} is {value!r}, must be {allowed}")
        self.key = key
        self.value = value
        self.allowed = allowed


class KeyFileFault(ConfigurationFault):
    """Never shows what the file holds. Operands: key, path, reason."""

    def __init__(self, key: str, path: Path, reason: str) -> None:
        super().__init__(f"{key} names {path}: {reason}")
        self.key = key
        self.path = path
        self.reason = reason


class OperatorDisagrees(ConfigurationFault):
    """Operands: configured, required (addresses)."""

    def __init__(self, configured: bytes, required: bytes) -> None:
        super().__init__(
            f"chain.operator_key_file holds the key of 0x{configured.hex()}, "
            f"the contract takes appends from 0x{required.hex()}"
        )
        self.configured = configured
        self.required = required
