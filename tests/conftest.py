"""What every test gets: fixed seeds, one thread, and a few molecules and assays of its own."""

import ipaddress
import os
import random
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import settings

from molmeta.assays.store import AssayStore
from molmeta.assays.task import Task
from molmeta.chem.batch import MoleculeBatch
from molmeta.chem.features import featurize
from molmeta.chem.intake import Molecule, read_smiles
from tests.molecules import DRUGS, MOLECULES

# A shell that starts the tests in the background has them ignore Ctrl-C, and the commands that they
# start inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# With more threads the order of a sum, and so its last bit, may change between runs.
torch.set_num_threads(1)

# How long an example takes says more about the machine than about the code.
settings.register_profile("molmeta", deadline=None)
settings.load_profile("molmeta")


CALLS_ABROAD: list[str] = []
"""What the test at hand asked of another machine."""


def _stay_at_home(event: str, arguments: tuple[Any, ...]) -> None:
    """Refuse every name look-up, connection and datagram that leaves this machine.

    An audit hook sees what any library does through Python's sockets, in any thread.
    """
    if event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = arguments[0]
    elif event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        sock, address = arguments[:2]
        # A datagram socket that is connected has sent nothing yet: so one learns one's own address.
        is_silent = event == "socket.connect" and sock.type == socket.SOCK_DGRAM
        host = address[0] if isinstance(address, tuple) and not is_silent else None
    else:
        return
    if not _is_at_home(host):
        CALLS_ABROAD.append(f"{event} {host}")
        raise OSError(f"the tests have no network: {event} {host}")


def _is_at_home(host: str | bytes | None) -> bool:
    name = host.decode() if isinstance(host, bytes) else host
    if name in (None, "", "localhost", socket.gethostname()):
        return True
    try:
        address = ipaddress.ip_address(str(name).partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


sys.addaudithook(_stay_at_home)


@pytest.fixture(autouse=True)
def _no_network() -> Iterator[None]:
    """Fail a test that called another machine, even where it took the refusal in its stride."""
    CALLS_ABROAD.clear()
    yield
    assert CALLS_ABROAD == []


@pytest.fixture(autouse=True)
def _seeds() -> None:
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data; tests that ask for it are skipped where it is absent."""
    root = Path(__file__).parents[1]
    folder = Path(os.environ.get("MOLMETA_SHARED_DATA", root / "../shared/data"))
    if not (folder / "fsmol").is_dir():
        pytest.skip("no real data here; set MOLMETA_SHARED_DATA to its folder")
    return folder


@pytest.fixture(scope="session")
def molecules() -> list[Molecule]:
    """The molecules of tests/molecules.py, in order."""
    results = [read_smiles(smiles) for smiles in MOLECULES]
    return [result for result in results if isinstance(result, Molecule)]


@pytest.fixture(scope="session")
def drugs(molecules: list[Molecule]) -> MoleculeBatch:
    """The drugs of tests/molecules.py, in order."""
    return featurize(molecules[: len(DRUGS)])


@pytest.fixture(scope="session")
def batch(molecules: list[Molecule]) -> MoleculeBatch:
    """All of tests/molecules.py, in order."""
    return featurize(molecules)


@pytest.fixture(scope="session")
def store(batch: MoleculeBatch) -> AssayStore:
    """Four assays of 40 to 100 molecules, a fifth to a half of them active."""
    generator = torch.Generator().manual_seed(1)
    tasks = []
    for name, n, share in (("A", 100, 0.5), ("B", 80, 0.3), ("C", 60, 0.2), ("D", 40, 0.4)):
        tasks.append(
            Task(
                assay_id=name,
                molecules=torch.randperm(len(batch), generator=generator)[:n],
                labels=(torch.arange(n) < share * n).float()[
                    torch.randperm(n, generator=generator)
                ],
                log_values=torch.full((n,), torch.nan),
                relations=torch.zeros(n, dtype=torch.int8),
            )
        )
    return AssayStore(tuple(tasks), batch, {}, "0" * 64)
