"""Private keys in files of their own, which nobody else may read."""

import stat
from pathlib import Path

from proofbook.api.signing import Key
from proofbook.operation.errors import KeyFileFault

SECRET_BYTES = 32
OTHERS = stat.S_IRWXG | stat.S_IRWXO


def read_key(key: str, path: Path) -> bytes:
    """Return the 32 bytes of the private key that a setting names. Raises KeyFileFault."""
    try:
        if path.stat().st_mode & OTHERS:
            raise KeyFileFault(key, path, "others may read it; chmod 600 takes that away")
        text = path.read_text().strip().removeprefix("0x")
    except OSError as fault:
        raise KeyFileFault(key, path, fault.strerror or str(fault)) from None
    except UnicodeDecodeError:
        raise KeyFileFault(key, path, "must hold 64 hex digits") from None
    try:
        secret = bytes.fromhex(text)
        Key(secret)
    except ValueError:
        secret = b""
    if len(secret) != SECRET_BYTES:
        raise KeyFileFault(key, path, "must hold a private key, 64 hex digits")
    return secret
