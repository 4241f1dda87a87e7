"""Large blocks of memory go back to the system when they are freed."""

import subprocess
import sys

_SCRIPT = """
from pathlib import Path
from dogid.system.malloc import return_large_blocks

def resident_megabytes():
    return int(Path("/proc/self/status").read_text().split("VmRSS:")[1].split()[0]) // 1024

return_large_blocks()
before = resident_megabytes()
for _ in range(2):
    blocks = [bytearray(b"1") * (12 << 20) for _ in range(3)]
    kept = [bytearray(1000) for _ in range(200)]  # above them, so that glibc cannot return them from the end
    del blocks
print(resident_megabytes() - before)
"""


def test_freed_large_blocks_leave_the_process() -> None:
    done = subprocess.run([sys.executable, "-c", _SCRIPT], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 6  # 36 without
