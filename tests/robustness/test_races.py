"""Many processes that want the same file at once."""

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from molmeta.assays.store import open_store
from tests.molecules import DRUGS

ROOT = Path(__file__).parents[2]
N_PROCESSES = 50

OPEN_TOGETHER = """
import os, sys, warnings
from pathlib import Path
import torch
from molmeta.assays.store import open_store
from molmeta.chem.intake import read_smiles

torch.set_num_threads(1)
warnings.simplefilter("error")
read_smiles("CCO.Cl")
path, n = Path(sys.argv[1]), int(sys.argv[2])
gate_out, gate_in = os.pipe()
children = []
for _ in range(n):
    if child := os.fork():
        children.append(child)
        continue
    os.close(gate_in)
    os.read(gate_out, 1)  # until every process is there
    keys = open_store(path, workers=1).molecules.keys
    os._exit(int(keys.sum()) % 251)
os.close(gate_in)
print({os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children})
"""


@pytest.mark.skipif(not hasattr(sys, "getdlopenflags"), reason="has no fork")
def test_fifty_processes_on_one_cold_cache_all_get_the_molecules(tmp_path: Path) -> None:
    rows = [{"assay_id": "A", "label": 1, "smiles": smiles} for smiles in DRUGS]
    for name in ("alone", "together"):
        (tmp_path / name).mkdir()
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / name / "a.parquet")
    keys = open_store(tmp_path / "alone" / "a.parquet", workers=1).molecules.keys
    words = [sys.executable, "-c", OPEN_TOGETHER, str(tmp_path / "together" / "a.parquet")]
    run = subprocess.run(
        [*words, str(N_PROCESSES)], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.strip() == str({int(keys.sum()) % 251})
    alone, together = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
        for name in ("alone", "together")
    )
    assert alone == together
    assert len(alone) == 2
