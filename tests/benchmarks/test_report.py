"""`python -m benchmarks.report`: from a folder of results to a page, or a sentence and a code."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from click.testing import CliRunner

from benchmarks.report import main
from molmeta.evaluation.metrics import METRICS
from molmeta.evaluation.protocol import DrawResult
from molmeta.evaluation.report import write_results


def test_a_folder_of_results_becomes_a_page_with_published_curves_and_strata(
    tmp_path: Path,
) -> None:
    draws = [DrawResult(a, 16, 0, 9, 0.4, dict.fromkeys(METRICS, 0.25)) for a in ("A", "B")]
    write_results(tmp_path / "results", {"ours": draws}, {"protocol": "fsmol"})
    published, strata = tmp_path / "published.parquet", tmp_path / "strata.parquet"
    columns = {"method": ["theirs"], "task": ["A"], "support_size": [16], "delta_auprc_mean": [0.2]}
    pq.write_table(pa.table(columns), published)
    pq.write_table(pa.table({"assay_id": ["A", "B"], "stratum": ["old", "new"]}), strata)
    page = tmp_path / "page.html"
    options = ["--output", str(page), "--published", str(published), "--strata", str(strata)]
    done = CliRunner().invoke(main, [str(tmp_path / "results"), *options])
    assert done.exit_code == 0, done.output
    assert done.stderr.startswith(f"{page}: ")
    text = page.read_text(encoding="utf-8")
    assert "theirs (published)" in text
    assert "old (1 assay)" in text


def test_a_folder_without_results_is_a_sentence_and_exit_code_3(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, [str(tmp_path), "--output", str(tmp_path / "page.html")])
    assert done.exit_code == 3
    assert "There is no" in done.stderr
    assert "summary.json" in done.stderr
    assert list(tmp_path.iterdir()) == []
