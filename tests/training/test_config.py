from pathlib import Path

import pytest

from molmeta.errors import ConfigError
from molmeta.learners.registry import LEARNERS
from molmeta.training.config import RunConfig, as_document, parse_config, read_config

TRAINABLE = sorted(name for name, kind in LEARNERS.items() if kind.trainable)
MINIMAL = {"learner": {"name": "protonet"}}


def test_a_file_says_what_it_sets_and_leaves_the_rest_at_its_defaults(tmp_path: Path):
    path = tmp_path / "run.toml"
    path.write_text(
        'seed = 7\n[learner]\nname = "protonet"\nridge = 1\n[encoder]\ndim = 32\n'
        "[training]\nsteps = 10\nsupport_sizes = [8, 16]\n",
        encoding="utf-8",
    )
    config = read_config(path)
    expected = parse_config(MINIMAL)
    assert config.seed == 7
    assert config.learner_config.ridge == 1.0
    assert isinstance(config.learner_config.ridge, float)
    assert config.encoder.dim == 32
    assert config.encoder.hidden == expected.encoder.hidden
    assert config.training.support_sizes == (8, 16)
    assert config.training.query_size == expected.training.query_size


@pytest.mark.parametrize("name", TRAINABLE)
def test_settings_written_as_a_document_are_read_back_equal(name: str):
    config = RunConfig(name, LEARNERS[name].Config(), seed=3)
    assert parse_config(as_document(config)) == config
    assert as_document(parse_config(as_document(config))) == as_document(config)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"trainng": {}}, "trainng"),
        ({"training": {"stpes": 3}}, "stpes"),
        ({"encoder": {"width": 3}}, "width"),
        ({"learner": {"name": "protonet", "noise": 0.3}}, "noise"),
        ({"learner": {}}, "name"),
        ({"learner": "protonet"}, "name"),
        ({"learner": {"name": ["protonet"]}}, "name"),
        ({"learner": {"name": "potonet"}}, "potonet"),
        ({"learner": {"name": "random_forest"}}, "random_forest"),
    ],
)
def test_what_is_unknown_is_refused_by_name(change: dict[str, object], message: str):
    with pytest.raises(ConfigError, match=message):
        parse_config(MINIMAL | change)


@pytest.mark.parametrize(
    ("table", "values"),
    [
        ("training", {"steps": "many"}),
        ("training", {"steps": 10.0}),
        ("training", {"steps": True}),
        ("training", {"learning_rate": "fast"}),
        ("training", {"learning_rate": float("nan")}),
        ("training", {"learning_rate": float("inf")}),
        ("training", {"support_sizes": 16}),
        ("training", {"support_sizes": [16, "32"]}),
        ("encoder", {"graph": 1}),
        ("encoder", 3),
        ("training", []),
        ("seed", "lucky"),
        ("seed", 1.5),
    ],
)
def test_a_value_of_another_type_is_refused_with_its_place(table: str, values: object):
    with pytest.raises(ConfigError, match=table):
        parse_config(MINIMAL | {table: values})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("steps", -1),
        ("tasks_per_step", -1),
        ("query_size", 0),
        ("learning_rate", 0.0),
        ("gradient_clip", 0.0),
        ("validation_runs", 0),
        ("warmup_steps", -1),
        ("weight_decay", -0.1),
        ("validate_every", -1),
        ("support_sizes", []),
        ("support_sizes", [1, 16]),
        ("validation_support_sizes", [1]),
        ("panel_power", 1.1),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(name: str, value: object):
    with pytest.raises(ConfigError, match=name):
        parse_config(MINIMAL | {"training": {name: value}})


def test_a_negative_seed_is_refused():
    with pytest.raises(ConfigError, match="seed"):
        parse_config(MINIMAL | {"seed": -1})


@pytest.mark.parametrize("content", [b"seed = ", b"\xff\xfe", None])
def test_a_file_that_is_not_toml_is_refused_with_its_name(tmp_path: Path, content: bytes | None):
    path = tmp_path / "run.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"run\.toml"):
        read_config(path)
