"""A prediction killed at any moment goes on, and ends as if nothing had happened."""

from pathlib import Path
from random import Random

import pytest

from benchmarks.kill_predict import Campaign, Violation, write_library
from molmeta.target import adapt_target
from tests.tiny_model import SUPPORT, UNLIKE_ALL, support_set, tiny_checkpoint


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    adapt_target(tiny_checkpoint(), support_set()).save(tmp_path / "target.molmeta")
    write_library(tmp_path / "library.csv", [*SUPPORT, UNLIKE_ALL, "nonsense", ""], 7_000)
    return ["--model", str(tmp_path / "target.molmeta"), "--input", str(tmp_path / "library.csv")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    folder.mkdir()
    return folder


def test_a_kill_before_any_call_that_matters_costs_nothing(words: list[str], folder: Path) -> None:
    campaign = Campaign(folder, words, "scores.csv.gz")
    campaign.kill_before_each_call()
    assert campaign.outcomes["not killed"] == 1
    # Of four chunks the first two begin the journal, and 3 is a whole one too.
    assert campaign.outcomes["went on"] >= 5
    assert campaign.outcomes["complete"] >= 2


@pytest.mark.parametrize(
    ("output", "flags"),
    [("scores.csv", ["--top", "20"]), ("scores.smi.zst", []), ("scores.parquet", [])],
)
def test_a_kill_at_any_time_costs_nothing(
    words: list[str], folder: Path, output: str, flags: list[str]
) -> None:
    campaign = Campaign(folder, [*words, *flags], output)
    random = Random(0)
    for _ in range(6):
        campaign.kill_at(random.random())
    assert campaign.outcomes.total() == 6
    assert campaign.outcomes["not killed"] < 6


def test_a_wrong_byte_would_be_seen(words: list[str], folder: Path) -> None:
    campaign = Campaign(folder, words, "scores.csv")
    campaign._expected["scores.csv"] += b"\n"
    with pytest.raises(Violation, match="are not as without the kill"):
        campaign.kill_at(0.3)
