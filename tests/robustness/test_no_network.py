"""No process calls another machine: the guard that every test runs under, and the kernel's own."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from molmeta.screening.pool import WorkerPool
from molmeta.target import adapt_target
from tests.tiny_model import SUPPORT, support_set, tiny_checkpoint

ABROAD = "192.0.2.1"
"""An address that documentation may use, and nobody has."""


@pytest.mark.parametrize("host", [ABROAD, "2001:db8::1"])
def test_a_connection_to_another_machine_is_refused_and_noted(
    host: str, calls_abroad: Path
) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as sock, pytest.raises(OSError, match="have no network"):
        sock.connect((host, 80))
    with (
        socket.socket(family, socket.SOCK_DGRAM) as sock,
        pytest.raises(OSError, match="have no network"),
    ):
        sock.sendto(b"hello", (host, 53))
    assert calls_abroad.read_text() == f"socket.connect {host}\nsocket.sendto {host}\n"
    calls_abroad.write_text("")


def test_a_name_elsewhere_is_not_looked_up(calls_abroad: Path) -> None:
    with pytest.raises(OSError, match="have no network"):
        socket.create_connection(("example.org", 443), timeout=1)
    assert calls_abroad.read_text() == "socket.getaddrinfo example.org\n"
    calls_abroad.write_text("")


def test_this_machine_may_talk_to_itself() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname(), timeout=5).close()
    left, right = socket.socketpair()
    left.sendall(b"x")
    assert right.recv(1) == b"x"
    left.close()
    right.close()


def test_a_process_that_a_test_starts_is_refused_too(calls_abroad: Path) -> None:
    code = f"import socket; socket.create_connection(('{ABROAD}', 80), timeout=1)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert b"the tests have no network" in done.stderr
    assert f"socket.getaddrinfo {ABROAD}" in calls_abroad.read_text()
    calls_abroad.write_text("")


def _call(rows: Sequence[str]) -> list[str]:
    try:
        socket.create_connection((rows[0], 80), timeout=1)
    except OSError as error:
        return [str(error)]
    return ["connected"]


class _Callers(WorkerPool[str, str]):
    def lost(self, status: str, reason: str) -> str:
        return reason


def test_a_worker_process_is_refused_too(calls_abroad: Path) -> None:
    with _Callers(_call, torch.device("cpu"), 1, timeout=60) as pool:
        ((answer,),) = pool.answers([[ABROAD]])
    assert answer == f"the tests have no network: socket.getaddrinfo {ABROAD}"
    calls_abroad.write_text("")


ISOLATED = ("unshare", "--map-root-user", "--net")
"""Before a command: it has no network at all, whatever it is written in."""


def _can_be_isolated() -> bool:
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*ISOLATED, "true"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not _can_be_isolated(), reason="the system lets nobody give up the network")
def test_predictions_without_any_network_are_those_with_it(tmp_path: Path) -> None:
    adapt_target(tiny_checkpoint(), support_set()).save(tmp_path / "target.molmeta")
    (tmp_path / "library.smi").write_text("\n".join(SUPPORT * 3) + "\n")
    words = [sys.executable, "-m", "molmeta_cli.main", "predict", "--model", "target.molmeta"]
    words += ["--input", "library.smi", "--workers", "2"]
    # The usual ways to point a library at a server of its own.
    elsewhere = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "HF_ENDPOINT"), f"http://{ABROAD}")
    for prefix, name, environment in (((), "a.csv", {}), (ISOLATED, "b.csv", elsewhere)):
        subprocess.run(
            [*prefix, *words, "--output", name],
            cwd=tmp_path,
            env={**os.environ, **environment},
            check=True,
        )
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
