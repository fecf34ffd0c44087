"""`python -m benchmarks.domain`: shares that are shares, of all queries, and bands that add up."""

import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks import domain
from tests.benchmarks.fold import write_fold


def test_every_query_is_in_one_band_and_the_curve_ends_at_all_of_them(tmp_path: Path) -> None:
    done = CliRunner().invoke(domain.main, [*write_fold(tmp_path), "--runs", "1"])
    assert done.exit_code == 0, done.output
    by_similarity, by_sureness = done.output.split("distance of the probability")
    for part in (by_similarity, by_sureness):
        assert sum(map(int, re.findall(r"  n +(\d+)", part))) == 90 - 16
    ends = {float(end) for end in re.findall(r"100% ([\d.]+)", done.output)}
    total = float(re.search(r"of all ([\d.]+)", done.output).group(1))  # type: ignore[union-attr]
    assert ends == {total}


def test_what_is_withheld_and_what_is_wrong_are_as_the_rows_have_it() -> None:
    logit = np.array([0.0, 0.5, 0.7, -3.0, 3.0])
    queries = domain.Queries(
        label=np.array([1.0, 0.0, 1.0, 1.0, 1.0]),
        logit=logit,
        deviation=np.ones(5),
        similarity=np.array([0.5, 0.5, 0.5, 0.5, 0.1]),
        later=logit,
    )
    assert queries.is_withheld.tolist() == [True, True, False, False, True]
    assert queries.is_wrong.tolist() == [0.0, 1.0, 0.0, 1.0, 0.0]
    assert queries.sureness[3] == pytest.approx(0.4526, abs=1e-4)
