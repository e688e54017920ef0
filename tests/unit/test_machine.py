"""What of the machine this process uses."""

from __future__ import annotations

import subprocess
import sys

import pytest

FREED = """
import ctypes, psutil
from mozi_engine import machine
machine.give_back(1_000_000)
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
had = psutil.Process().memory_info().rss
for _ in range(2):  # what is freed once makes glibc keep what is like it
    blocks = []
    for _ in range(20):
        blocks.append(libc.malloc(4_000_000))
        ctypes.memset(blocks[-1], 1, 4_000_000)
        ctypes.memset(libc.malloc(100_000), 1, 100_000)  # lies between two blocks, and stays
    for block in blocks:
        libc.free(block)
print(psutil.Process().memory_info().rss - had)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's malloc")
def test_freed_blocks_go_back_to_the_system() -> None:
    done = subprocess.run([sys.executable, "-c", FREED], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 20_000_000
