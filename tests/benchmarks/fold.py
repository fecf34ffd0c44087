"""A fold of one small assay, and the tiny model in a file, for the benchmarks' own tests."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from molmeta.checkpoint import save_checkpoint
from tests.molecules import DRUGS
from tests.tiny_model import tiny_checkpoint


def write_fold(folder: Path) -> list[str]:
    """Words of a command line that name the files: ninety drugs, those with fluorine active."""
    rows = [
        {"assay_id": "A", "smiles": s, "label": int("F" in s or "O)" in s), "log_value": len(s) / 9}
        for s in DRUGS[:90]
    ]
    pq.write_table(pa.Table.from_pylist(rows), folder / "fold.parquet")
    save_checkpoint(folder / "tiny.molmeta", tiny_checkpoint())
    return ["--assays", str(folder / "fold.parquet"), "--model", str(folder / "tiny.molmeta")]
