"""What every test gets: fixed seeds, one thread, and a few molecules and assays of its own."""

import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path

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
from tests.no_network.sitecustomize import NOTES

# A shell that starts the tests in the background has them ignore Ctrl-C, and the commands that they
# start inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# With more threads the order of a sum, and so its last bit, may change between runs.
torch.set_num_threads(1)

# How long an example takes says more about the machine than about the code.
settings.register_profile("molmeta", deadline=None)
settings.load_profile("molmeta")


# Every process that a test starts finds the package and is without a network too.
ROOT = Path(__file__).parents[1]
_PATHS = (ROOT / "tests/no_network", ROOT, ROOT / "cli", os.environ.get("PYTHONPATH", ""))
os.environ["PYTHONPATH"] = os.pathsep.join(map(str, filter(None, _PATHS)))


@pytest.fixture(scope="session", autouse=True)
def _notes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where every process notes what it asked of another machine."""
    notes = tmp_path_factory.getbasetemp() / "calls-abroad"
    os.environ[NOTES] = str(notes)
    return notes


@pytest.fixture(autouse=True)
def calls_abroad(_notes: Path) -> Iterator[Path]:
    """The file of these notes; fails a test that took a refusal in its stride."""
    _notes.write_text("")
    yield _notes
    assert _notes.read_text() == ""


@pytest.fixture(autouse=True)
def _seeds() -> None:
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data; tests that ask for it are skipped where it is absent."""
    folder = Path(os.environ.get("MOLMETA_SHARED_DATA", ROOT / "../shared/data"))
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
