"""What a benchmark ran on."""

import os
import platform
from pathlib import Path

PROCESSOR_LIST = Path("/proc/cpuinfo")


def machine() -> str:
    """Return the processor's name and how many of its cores there are."""
    name = platform.processor() or platform.machine()
    if PROCESSOR_LIST.is_file():
        lines = PROCESSOR_LIST.read_text().splitlines()
        name = next((line.split(": ")[1] for line in lines if line.startswith("model name")), name)
    return f"{name}, {os.cpu_count()} cores"
