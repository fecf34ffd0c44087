"""`molmeta train`, `benchmark` and `tune` from files to files."""

from pathlib import Path

import pytest

from molmeta.checkpoint import load_checkpoint
from tests.cli.conftest import Run

CONFIG = """
[learner]
name = "protonet"
[encoder]
graph_width = 8
graph_layers = 1
ecfp_bits = 64
hidden = 16
dim = 8
[pretraining]
steps = 2
batch_size = 16
[training]
steps = 2
tasks_per_step = 2
support_sizes = [8]
query_size = 8
validate_every = 1
validation_support_sizes = [8]
validation_runs = 1
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(CONFIG)
    return path


def test_train_writes_a_model_that_benchmark_and_tune_take(
    run: Run, assays: Path, config: Path, tmp_path: Path
) -> None:
    words = ["--data", assays, "--valid", assays, "--config", config, "--output", "run"]
    trained = run("train", *words, "--workers", 1, "--licence", "CC0", "--allow-overlap")
    assert trained.exit_code == 0, trained.stderr
    model = tmp_path / trained.stdout.strip()
    assert load_checkpoint(model).provenance.licence == "CC0"

    measured = run(
        "benchmark", "--assays", assays, "--model", model, "--baseline", "knn",
        "--support-size", 8, "--runs", 2, "--output", "results",
    )  # fmt: skip
    assert measured.exit_code == 0, measured.stderr
    assert [line.split()[0] for line in measured.stdout.splitlines()[1:4]] == [
        "support",
        str(model),
        "knn",
    ]

    tuned = run(
        "tune", "--model", model, "--assays", assays, "--trials", 2, "--runs", 1,
        "--support-size", 8, "--output", "tuned.molmeta",
    )  # fmt: skip
    assert tuned.exit_code == 0, tuned.stderr
    assert load_checkpoint(tmp_path / "tuned.molmeta").learner.search_space


def test_the_same_command_again_leaves_a_finished_run_as_it_is(
    run: Run, assays: Path, config: Path, tmp_path: Path
) -> None:
    words = ["train", "--data", assays, "--config", config, "--output", "run", "--workers", 1]
    assert run(*words).exit_code == 0
    first = (tmp_path / "run" / "best.safetensors").read_bytes()
    assert run(*words).exit_code == 0
    assert (tmp_path / "run" / "best.safetensors").read_bytes() == first


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("--data", "missing.parquet", "--config", "config.toml"), 3, "There is no file"),
        (("--data", "assays.parquet", "--config", "missing.toml"), 2, "cannot be read"),
        (("--data", "config.toml", "--config", "config.toml"), 3, "not a readable Parquet"),
    ],
)
def test_what_cannot_be_trained_ends_in_a_sentence(
    run: Run, assays: Path, config: Path, words: tuple[str, ...], code: int, sentence: str
) -> None:
    result = run("train", *words, "--output", "run", "--workers", 1)
    assert (result.exit_code, sentence in result.stderr) == (code, True), result.stderr


def test_meta_valid_assays_that_are_trained_on_are_refused(
    run: Run, assays: Path, config: Path, tmp_path: Path
) -> None:
    words = ["train", "--data", assays, "--valid", assays, "--config", config, "--output", "run"]
    result = run(*words, "--workers", 1)
    assert result.exit_code == 3
    assert (
        "2 of the 2 meta-valid assays are in meta-train too: hydroxyl, fluorine." in result.stderr
    )
    assert not (tmp_path / "run").exists()
