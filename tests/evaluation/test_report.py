"""Results as files and as a table, against hand numbers."""

import json
import math
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from molmeta.errors import OutputError
from molmeta.evaluation.metrics import METRICS
from molmeta.evaluation.protocol import DrawResult
from molmeta.evaluation.report import table_of, write_results


def _draw(assay: str, run: int, value: float, size: int = 16) -> DrawResult:
    return DrawResult(assay, size, run, 50, 0.4, dict.fromkeys(METRICS, value))


RESULTS = {"ours": [_draw("A", 0, 0.1), _draw("A", 1, 0.3), _draw("B", 0, 0.4)]}


def test_the_table_averages_draws_within_a_task_before_tasks() -> None:
    # Tasks .2 and .4: mean .3, standard error √.02 / √2 = .1.
    assert table_of(RESULTS).splitlines() == [
        "support size  16",
        "ours          0.300 ± 0.100 (2)",
    ]


def test_a_size_that_a_method_lacks_is_a_dash() -> None:
    results = {**RESULTS, "other": [_draw("A", 0, 0.5, size=64)]}
    assert table_of(results).splitlines()[2].split() == ["other", "-", "0.500", "±", "nan", "(1)"]


def test_every_draw_is_a_row_and_nan_is_null_in_json(tmp_path: Path) -> None:
    results = {"ours": [*RESULTS["ours"], _draw("C", 0, math.nan)]}
    write_results(tmp_path / "out", results, {"protocol": "fsmol"})
    rows = pq.read_table(tmp_path / "out" / "draws.parquet").to_pylist()
    assert [(row["method"], row["assay_id"], row["run"]) for row in rows] == [
        ("ours", "A", 0),
        ("ours", "A", 1),
        ("ours", "B", 0),
        ("ours", "C", 0),
    ]
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["protocol"] == "fsmol"
    cell = summary["results"]["ours"]["delta_auprc"]["16"]
    assert cell["mean"] == pytest.approx(0.3)
    assert (cell["n_tasks"], cell["n_undefined"]) == (2, 1)


def test_results_that_cannot_be_written_are_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        write_results(tmp_path / "file", RESULTS, {})
