"""`python -m benchmarks.suggestion`: hits that grow with the rounds, and a plot of them."""

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks import suggestion
from tests.benchmarks.fold import write_fold


@pytest.mark.parametrize("values", [False, True])
def test_every_strategy_finds_more_hits_with_every_round(tmp_path: Path, values: bool) -> None:
    pytest.importorskip("matplotlib")
    plot = tmp_path / "hits.svg"
    words = ["--runs", "1", "--rounds", "2", "--batch", "4", "--plot", str(plot)]
    done = CliRunner().invoke(
        suggestion.main, [*write_fold(tmp_path), *words, *(["--values"] if values else [])]
    )
    assert done.exit_code == 0, done.output
    rows = done.output.splitlines()[1:]
    assert [row[:20].strip() for row in rows] == list(suggestion.STRATEGIES)
    for row in rows:
        first, second, kinds = map(float, re.findall(r"\d+\.\d\d", row[20:])[:3])
        assert 0 <= first <= second <= 8
        assert first <= 4
        assert kinds <= second
    root = ElementTree.fromstring(plot.read_text(encoding="utf-8"))
    texts = {"".join(text.itertext()) for text in root.iter("{http://www.w3.org/2000/svg}text")}
    assert set(suggestion.PLOTTED) <= texts
