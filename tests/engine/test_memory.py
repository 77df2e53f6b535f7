import ctypes
import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys
from cryopick_ray.engine.memory import keep_freed_memory
if sys.argv[1] == "keep":
    keep_freed_memory()
for _ in range(20):
    bytearray(2**26)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
"""


def faults(mode):
    done = subprocess.run([sys.executable, "-c", PROGRAM, mode], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="not glibc")
def test_memory_that_is_freed_comes_back_without_new_pages():
    assert faults("keep") < faults("leave") / 2
