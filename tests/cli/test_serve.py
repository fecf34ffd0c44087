"""`molmeta serve` answers on this computer alone, unless asked twice, and ends when told to."""

import json
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.cli.conftest import Run

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")


def test_a_network_address_needs_a_flag(run: Run) -> None:
    refused = run("serve", "--host", "0.0.0.0")
    assert refused.exit_code == 2
    assert "--allow-network" in refused.stderr
    assert "no password" in refused.stderr


def test_a_port_in_use_is_told(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = run("serve", "--port", str(taken.getsockname()[1]))
    assert result.exit_code == 2
    assert "is it in use?" in result.stderr


@pytest.mark.parametrize(
    ("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["SIGINT", "SIGTERM"]
)
def test_it_answers_until_it_is_stopped(
    start: Callable[..., subprocess.Popen[bytes]], learner: Path, sent: int, code: int
) -> None:
    process = start("serve", "--port", "0", "--learner-model", learner)
    assert process.stderr is not None
    told = process.stderr.readline().decode()
    address = told.split()[3]
    assert told == f"molmeta is at {address} (Ctrl-C stops it)\n"
    assert address.startswith("http://127.0.0.1:")
    with urlopen(f"{address}api/about") as answer:
        assert json.load(answer)["is_private"] is True
    process.send_signal(sent)
    _, rest = process.communicate(timeout=60)
    assert process.returncode == code
    assert b"Traceback" not in rest


def test_a_network_address_comes_with_a_warning(
    start: Callable[..., subprocess.Popen[bytes]], learner: Path
) -> None:
    process = start(
        *("serve", "--host", "0.0.0.0", "--allow-network", "--port", "0"),
        *("--learner-model", learner),
    )
    assert process.stderr is not None
    address = process.stderr.readline().decode().split()[3]
    assert "Warning: whoever reaches this computer" in process.stderr.readline().decode()
    with urlopen(f"{address}api/about") as answer:
        assert json.load(answer)["is_private"] is False
    process.terminate()
    process.communicate(timeout=60)
