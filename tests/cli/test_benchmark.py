"""`molmeta benchmark` from files to files."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.cli.conftest import Run


def test_every_prediction_can_be_judged_anew(run: Run, assays: Path, tmp_path: Path) -> None:
    result = run(
        "benchmark", "--assays", assays, "--baseline", "knn", "--baseline", "logistic_regression",
        "--support-size", 16, "--runs", 2, "--output", "results", "--predictions",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    kept = pq.read_table(tmp_path / "results" / "predictions.parquet").to_pandas()
    kept = kept.astype({"method": str, "assay_id": str})
    draws = pq.read_table(tmp_path / "results" / "draws.parquet").to_pandas()
    assert len(kept) == draws.n_query.sum() == 2 * 2 * 2 * 44
    np.testing.assert_allclose(kept.probability, 1 / (1 + np.exp(-kept.logit)), rtol=1e-5)
    truth = pq.read_table(assays).to_pandas()
    for name, of in truth.groupby("assay_id"):
        here = kept[kept.assay_id == name]
        assert (of.label.to_numpy()[here.row] == here.label).all()
    errors = (kept.probability - kept.label) ** 2
    keys = ["method", "assay_id", "run"]
    brier = errors.groupby([kept[key] for key in keys]).mean()
    np.testing.assert_allclose(draws.set_index(keys).brier.sort_index(), brier, atol=1e-6)
    pooled = json.loads((tmp_path / "results" / "summary.json").read_text())["results"]
    assert pooled["knn"]["pooled_brier"]["16"]["mean"] == pytest.approx(
        errors[kept.method == "knn"].mean(), abs=1e-6
    )


def test_a_model_is_reported_by_what_it_has_seen_and_beside_its_baselines(
    run: Run, assays: Path, learner: Path, tmp_path: Path
) -> None:
    result = run(
        "benchmark", "--assays", assays, "--model", learner, "--baseline", "knn",
        "--train-assays", assays, "--support-size", 16, "--runs", 2, "--output", "results",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    assert "ΔAUPRC, overlap>=0.5 (2 of 2 assays)" in result.stdout
    strata = pq.read_table(tmp_path / "results" / "strata.parquet").to_pylist()
    assert {row["assay_id"]: row["stratum"] for row in strata} == {
        "hydroxyl": "overlap>=0.5",
        "fluorine": "overlap>=0.5",
    }
    (row,) = pq.read_table(tmp_path / "results" / "comparison.parquet").to_pylist()
    draws = pq.read_table(tmp_path / "results" / "draws.parquet").to_pandas()
    means = draws.groupby("method").delta_auprc.mean()
    assert (row["method"], row["other"], row["n_tasks"]) == (str(learner), "knn", 2)
    assert row["difference"] == pytest.approx(means[str(learner)] - means["knn"])


def test_strata_of_a_file_and_published_results_are_taken_as_they_are(
    run: Run, assays: Path, tmp_path: Path
) -> None:
    strata = [{"assay_id": name, "stratum": f"S{i}"} for i, name in enumerate(("hydroxyl", "X"))]
    pq.write_table(pa.Table.from_pylist(strata), tmp_path / "strata.parquet")
    published = [
        {"method": "Theirs", "task": name, "support_size": 16, "delta_auprc_mean": -1.0}
        for name in ("hydroxyl", "elsewhere")
    ]
    pq.write_table(pa.Table.from_pylist(published), tmp_path / "published.parquet")
    words = ["benchmark", "--assays", assays, "--baseline", "knn", "--support-size", 16]
    words += ["--runs", 1, "--compare", "published.parquet"]
    result = run(*words, "--strata", "strata.parquet")
    assert result.exit_code == 0, result.stderr
    assert "ΔAUPRC, S0 (1 of 2 assays)" in result.stdout
    assert "S1" not in result.stdout
    theirs = next(line for line in result.stdout.splitlines() if "Theirs" in line)
    assert theirs.split()[2].startswith("+1.")
    assert theirs.endswith("(1)")

    pq.write_table(pa.Table.from_pylist(published[1:]), tmp_path / "published.parquet")
    result = run(*words)
    assert result.exit_code == 3
    assert "None of the assays in" in result.stderr


def test_workers_change_no_number(run: Run, assays: Path, learner: Path, tmp_path: Path) -> None:
    words = ["benchmark", "--assays", assays, "--model", learner, "--support-size", 16]
    words += ["--runs", 2, "--threads", 1]
    for workers in (1, 2):
        result = run(*words, "--workers", workers, "--output", f"with{workers}")
        assert result.exit_code == 0, result.stderr
    one, two = (pq.read_table(tmp_path / f"with{n}" / "draws.parquet") for n in (1, 2))
    assert one.equals(two)


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("--baseline", "svm"), 2, "no baseline 'svm'; known are random_forest, knn"),
        (("--baseline", "knn", "--predictions"), 2, "add --output"),
        (("--baseline", "knn", "--strata", "missing.parquet"), 3, "There is no missing.parquet"),
        (("--baseline", "knn", "--compare", "assays.parquet"), 3, "no column method"),
        (("--baseline", "knn", "--output", "assays.parquet"), 6, "cannot be written"),
        (("--model", "assays.parquet"), 5, "cannot be used as a model"),
    ],
)
def test_what_cannot_be_measured_ends_in_a_sentence(
    run: Run, assays: Path, words: tuple[str, ...], code: int, sentence: str
) -> None:
    result = run("benchmark", "--assays", assays, *words)
    assert (result.exit_code, sentence in result.stderr) == (code, True), result.stderr
