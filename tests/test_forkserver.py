"""What workers need is loaded beside what the process loads, and Ctrl-C is not for them."""

import signal
import subprocess
import sys

import pytest

from molmeta.forkserver import CONTEXT, interrupts_ignored

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="workers are copies on Linux alone")

LOADING = """
import os, signal, sys
from molmeta.forkserver import start_loading
start_loading()
from multiprocessing import forkserver
assert "torch" not in sys.modules
first = forkserver._forkserver._forkserver_pid
import molmeta.screening.worker
forkserver.ensure_running()
assert forkserver._forkserver._forkserver_pid == first
print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)
"""


@LINUX
def test_loading_starts_once_without_torch_and_leaves_ctrl_c_as_it_was() -> None:
    done = subprocess.run([sys.executable, "-c", LOADING], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr


def test_interrupts_are_ignored_meanwhile_and_not_after() -> None:
    before = signal.getsignal(signal.SIGINT)
    with interrupts_ignored():
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    assert signal.getsignal(signal.SIGINT) is before


@LINUX
def test_workers_are_copies_on_linux() -> None:
    assert CONTEXT.get_start_method() == "forkserver"
