"""What this process may use of the machine."""

from __future__ import annotations

import ctypes
import os
import sys

import psutil

_M_MMAP_THRESHOLD = -3  # glibc's malloc.h


def cores() -> int:
    """Physical cores, as many as this process may run on (a container may be given two of many)."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(psutil.cpu_count(logical=False) or allowed or 1, allowed or 1)


def give_back(at_least: int) -> None:
    """Have blocks of memory of so many bytes go back to the system when they are freed, where glibc is.

    It keeps smaller ones for what comes next, and in time those up to 32 MB. What torch asks for is aligned,
    which older glibcs find no room for among what they keep: the heap grows from step to step.
    """
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(_M_MMAP_THRESHOLD, at_least)
