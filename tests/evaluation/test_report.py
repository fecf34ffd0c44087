"""Results as files and as a table, against hand numbers."""

import json
import math
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from molmeta.errors import OutputError
from molmeta.evaluation.comparison import compare_all
from molmeta.evaluation.metrics import METRICS
from molmeta.evaluation.protocol import DrawResult, task_means
from molmeta.evaluation.report import table_of, table_of_comparisons, write_results


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
    assert table_of(results).splitlines()[2].split() == ["other", "-", "0.500", "(1)"]


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


def test_assays_can_be_counted_alone() -> None:
    assert table_of(RESULTS, assays={"A"}).splitlines()[1].split() == ["ours", "0.200", "(1)"]


def test_draws_without_a_value_are_told_below_the_table() -> None:
    results = {"ours": [*RESULTS["ours"], _draw("C", 0, math.nan)]}
    assert "Draws without a defined value, left out: 1." in table_of(results)


def test_files_of_an_earlier_run_do_not_stay_beside_new_ones(tmp_path: Path) -> None:
    strata = {"A": "novel", "B": "known"}
    write_results(tmp_path, RESULTS, {}, strata=strata)
    assert pq.read_table(tmp_path / "strata.parquet").num_rows == 2
    write_results(tmp_path, RESULTS, {})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["draws.parquet", "summary.json"]


def test_comparisons_are_a_row_each_and_a_line_a_pair(tmp_path: Path) -> None:
    other = [_draw("A", 0, 0.1), _draw("B", 0, 0.1)]
    means = {name: task_means(draws) for name, draws in {**RESULTS, "other": other}.items()}
    comparisons = compare_all(means, {"theirs": {16: {"A": 0.5}}})
    write_results(tmp_path, RESULTS, {}, comparisons=comparisons)
    rows = pq.read_table(tmp_path / "comparison.parquet").to_pylist()
    assert [(row["method"], row["other"], row["n_tasks"]) for row in rows] == [
        ("ours", "other", 2),
        ("ours", "theirs", 1),
        ("other", "theirs", 1),
    ]
    lines = table_of_comparisons(comparisons).splitlines()
    # Differences .1 and .3.
    assert lines[1].startswith("ours    other   +0.200 ± 0.100, p = ")
    assert lines[2].split()[2] == "-0.300,"


def test_results_that_cannot_be_written_are_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        write_results(tmp_path / "file", RESULTS, {})
