"""Saved results against hand numbers."""

import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from molmeta.errors import InputError
from molmeta.evaluation.metrics import METRICS, calibration_error
from molmeta.evaluation.protocol import DrawResult
from molmeta.evaluation.report import write_results
from molmeta.evaluation.saved_results import read_published, read_results, read_strata


def _draw(assay: str, run: int, value: float, size: int = 16) -> DrawResult:
    return DrawResult(assay, size, run, 50, 0.4, dict.fromkeys(METRICS, value))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    draws = [_draw("A", 0, 0.1), _draw("A", 1, 0.3), _draw("B", 0, 0.4), _draw("B", 1, math.nan)]
    undefined = [_draw("C", 0, math.nan)]
    write_results(tmp_path, {"ours": [*draws, *undefined]}, {"protocol": "fsmol"})
    return tmp_path


def test_a_task_counts_with_the_mean_of_those_draws_that_have_a_value(folder: Path) -> None:
    results = read_results(folder)
    assert results.task_means == {"ours": {16: {"A": pytest.approx(0.2), "B": 0.4}}}
    assert results.assays == {"A", "B", "C"}
    assert results.about == {"protocol": "fsmol"}
    summary = results.summaries["ours"]["delta_auprc"][16]
    assert (summary.mean, summary.n_tasks) == (pytest.approx(0.3), 2)


def test_bins_are_those_of_the_calibration_error(folder: Path) -> None:
    rng = np.random.default_rng(0)
    probabilities = np.r_[rng.random(5000), 0.0, 1.0, 0.1, 0.9]
    labels = (rng.random(5004) < probabilities**2).astype(float)
    table = {
        "method": ["ours"] * 5004,
        "support_size": [16] * 5004,
        "label": labels.astype(int),
        "probability": probabilities,
    }
    pq.write_table(pa.table(table), folder / "predictions.parquet", row_group_size=700)
    at = read_results(folder).reliability["ours"][16]
    assert at.counts.sum() == 5004
    gap = np.sum(at.counts * abs(at.share_active - at.mean_probability)) / at.counts.sum()
    assert gap == pytest.approx(calibration_error(labels, probabilities))


def test_a_prediction_that_is_not_a_number_is_left_out(folder: Path) -> None:
    table = {
        "method": ["ours"] * 3,
        "support_size": [16] * 3,
        "label": [1, 0, 1],
        "probability": [0.55, math.nan, None],
    }
    pq.write_table(pa.table(table), folder / "predictions.parquet")
    at = read_results(folder).reliability["ours"][16]
    assert at.counts.tolist() == [0, 0, 0, 0, 0, 1, 0, 0, 0, 0]
    assert math.isnan(at.share_active[0])


def test_published_results_need_a_metric_that_was_published(tmp_path: Path) -> None:
    table = {"method": ["RF"], "task": ["A"], "support_size": [16], "delta_auprc_mean": [0.1]}
    path = tmp_path / "published.parquet"
    pq.write_table(pa.table(table), path)
    assert read_published(path, "delta_auprc") == {"RF": {16: {"A": 0.1}}}
    with pytest.raises(InputError, match="nobody published brier"):
        read_published(path, "brier")


def test_a_table_without_strata_is_refused_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "strata.parquet"
    pq.write_table(pa.table({"assay_id": ["A"]}), path)
    with pytest.raises(InputError, match=r"has no column stratum; it needs assay_id, stratum"):
        read_strata(path)
