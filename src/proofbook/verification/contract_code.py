"""Whether the code at an address is a contract of ours, whatever its constructor was given."""

from dataclasses import dataclass

from proofbook.protocol.hashing import keccak

WORD_BYTES = 32


@dataclass(frozen=True)
class ContractCode:
    """Runtime code with zeros where the constructor writes; `immutables`: where these words are."""

    size: int
    hash: bytes
    immutables: tuple[int, ...]

    def matches(self, code: bytes) -> bool:
        """Whether some code is this one but for the words that a constructor fixes."""
        if len(code) != self.size:
            return False
        blank = bytearray(code)
        for start in self.immutables:
            blank[start : start + WORD_BYTES] = bytes(WORD_BYTES)
        return keccak(bytes(blank)) == self.hash
