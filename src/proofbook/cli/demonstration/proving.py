"""What a stranger sees: the verifier as its own process, knowing a URL and an address."""

import asyncio
import sys
from collections.abc import Callable
from typing import Any

import msgspec

from proofbook.cli.demonstration.errors import VerifierFailed
from proofbook.cli.demonstration.report import LiesCaught
from proofbook.cli.demonstration.venue import LIAR_KEY, Venue, demonstration_engine
from proofbook.simulator.liar import Lie, post_lie

EXIT_RIGHT, EXIT_LIE = 0, 1

SYMPTOMS = {
    Lie.CHANGED_ORDER: ("VOID_ENTRY", "SIGNER_MISMATCH"),
    Lie.WRONG_ROOT: ("ROOT_MISMATCH", None),
}
"""What the verifier must name for a lie: the kind of its finding, and its reason."""

LYING_BATCH = 1
"""A lying operator posts an honest batch 0 first."""


async def is_verified(venue: Venue) -> bool:
    """Return whether the venue's chain holds nothing false. Raises VerifierFailed."""
    _, code = await _verify(venue.chain.url, venue.deployment.chain)
    return code == EXIT_RIGHT


async def catch_lies(venue: Venue, tell: Callable[[str], None]) -> LiesCaught:
    """Have an operator post each lie to a deployment of its own; return which were caught.

    What the verifier finds is told in words.
    """
    caught: dict[str, bool] = {}
    for lie in Lie:
        liar = venue.sender(LIAR_KEY)
        deployment = await post_lie(liar, demonstration_engine, lie)
        report, code = await _verify(venue.chain.url, deployment.chain)
        caught[lie.value] = code == EXIT_LIE and names_lie(lie, report)
        for finding in report["findings"]:
            tell(f"{lie.value.replace('_', ' ')}: {in_words(finding)}")
    return LiesCaught(**caught)


def names_lie(lie: Lie, report: dict[str, Any]) -> bool:
    """Return whether a report finds exactly this lie, in the batch that holds it."""
    kind, reason = SYMPTOMS[lie]
    findings = report["findings"]
    return len(findings) == 1 and (
        findings[0]["kind"] == kind
        and findings[0]["reason"] == reason
        and findings[0]["batch"] == LYING_BATCH
    )


def in_words(finding: dict[str, Any]) -> str:
    """Return where a finding is, and what it is."""
    places = ((name, finding[name]) for name in ("batch", "segment"))
    where = ", ".join(f"{name} {value}" for name, value in places if value is not None)
    return f"{finding['kind']} in {where}: {finding['note']}"


async def _verify(url: str, contract: bytes) -> tuple[dict[str, Any], int]:
    """Return the report and the exit code of `proofbook verify`. Raises VerifierFailed."""
    address = "0x" + contract.hex()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "proofbook.cli", "verify",
        "--rpc", url, "--contract", address, "--json", "-",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        output, faults = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    code = process.returncode
    if code not in (EXIT_RIGHT, EXIT_LIE):
        raise VerifierFailed(address, code or 0, faults.decode(errors="replace").strip())
    return msgspec.json.decode(output), code
