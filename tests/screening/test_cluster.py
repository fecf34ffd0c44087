"""Ray Data over a cluster of this one machine: the rows of a single-machine run."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from molmeta.assays.outputs import open_output
from molmeta.assays.tables import open_table
from molmeta.chem.status import Status
from molmeta.errors import InputError
from molmeta.screening import NUMERIC, appended_columns, screen
from molmeta.target import adapt_target
from tests.molecules import MOLECULES
from tests.no_network.sitecustomize import NOTES
from tests.screening.fragile import EXIT, fragile_target
from tests.tiny_model import support_set, tiny_checkpoint

ray = pytest.importorskip("ray", reason="pip install 'molmeta[ray]' for screening on a cluster")
parquet = pytest.importorskip("pyarrow.parquet")
pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own, of all kinds


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    environment = {name: os.environ[name] for name in ("PYTHONPATH", NOTES)}
    ray.init(
        num_cpus=3,
        include_dashboard=False,
        configure_logging=False,
        log_to_driver=False,
        object_store_memory=100_000_000,
        runtime_env={"env_vars": environment},
    )
    yield
    ray.shutdown()


@pytest.fixture
def library(tmp_path: Path) -> Path:
    path = tmp_path / "library.csv"
    cells = [f'{n:03d},"{text}",1E5' for n, text in enumerate([*MOLECULES[:60], "", "NA", "C1CC"])]
    path.write_text("\n".join(["id,structure,status", *cells]) + "\n")
    return path


def test_the_rows_are_those_of_one_machine(cluster: None, library: Path, tmp_path: Path) -> None:
    from molmeta.screening.cluster import read_csv, score_dataset

    target = adapt_target(tiny_checkpoint(), support_set())
    single = tmp_path / "single.parquet"
    with open_table(library, smiles_column="structure") as table:
        names = appended_columns(table.columns, ranked=False)
        numeric = [names[name] for name in NUMERIC if name in names]
        header = (*table.columns, *names.values())
        with open_output(single, header, numeric=numeric) as output:
            screen(target, table, output)
    dataset = read_csv(str(library)).repartition(5)
    scored = score_dataset(dataset, target, actors=2, smiles_column="structure")
    scored.write_parquet(str(tmp_path / "parts"))
    files = sorted((tmp_path / "parts").glob("*.parquet"))
    rows = [row for file in files for row in parquet.read_table(file).to_pylist()]
    expected = parquet.read_table(single).to_pylist()
    assert len(rows) == len(expected) == 63
    for row, other in zip(sorted(rows, key=lambda row: row["id"]), expected, strict=True):
        assert list(row) == list(other)
        for name, cell in row.items():
            close = pytest.approx(other[name], abs=1e-5) if name in numeric else other[name]
            assert cell == close
    assert [row["id"] for row in scored.take_all()] == [row["id"] for row in expected]


def test_a_row_that_ends_its_process_costs_no_other(cluster: None) -> None:
    from molmeta.screening.cluster import score_dataset

    dataset = ray.data.from_items([{"smiles": text} for text in ["CCO", EXIT, "CCN", ""]])
    rows = score_dataset(dataset, fragile_target(), actors=1).take_all()
    assert [row["smiles"] for row in rows] == ["CCO", EXIT, "CCN", ""]
    failed = [row["status"] for row in rows if row["probability"] is None]
    assert failed == [Status.WORKER_CRASH, Status.EMPTY]


def test_a_data_set_without_molecules_is_refused_at_once(cluster: None) -> None:
    from molmeta.screening.cluster import score_dataset

    dataset = ray.data.from_items([{"text": "CCO"}])
    target = adapt_target(tiny_checkpoint(), support_set())
    with pytest.raises(InputError, match="no column called 'smiles'"):
        score_dataset(dataset, target, actors=1)
    with pytest.raises(InputError, match="SMILES"):
        score_dataset(dataset, target, actors=1, smiles_column="SMILES")
