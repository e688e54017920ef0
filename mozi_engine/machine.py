"""What this process may use of the machine."""

from __future__ import annotations

import os

import psutil


def cores() -> int:
    """Physical cores, as many as this process may run on (a container may be given two of many)."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(psutil.cpu_count(logical=False) or allowed or 1, allowed or 1)
