"""Runs the command that is given and prints what it cost, as JSON.

A process of its own, because Linux counts what the parent of a process holds as held by it too; and
a small one, which imports next to nothing.
"""

import json
import os
import subprocess
import sys
import time


def main() -> None:
    """Print CPU and wall seconds and megabytes; exit as the command did."""
    start = time.perf_counter()
    process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    cost = {
        "cpu": usage.ru_utime + usage.ru_stime,
        "wall": time.perf_counter() - start,
        "memory": usage.ru_maxrss / 1024,
    }
    process.returncode = os.waitstatus_to_exitcode(status)
    print(json.dumps(cost))
    sys.exit(process.returncode)


if __name__ == "__main__":
    main()
