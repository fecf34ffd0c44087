"""The settings of a meta-training run, read from TOML; a key that is not known is refused."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from molmeta.encoders.config import EncoderConfig
from molmeta.errors import ConfigError
from molmeta.learners.base import Learner
from molmeta.learners.deepkernel import DeepKernel
from molmeta.learners.registry import LEARNERS
from molmeta.training.calibration import CalibrationConfig
from molmeta.training.feature_weights import FeatureWeightsConfig
from molmeta.training.pretraining import PretrainingConfig
from molmeta.typed_json import from_json


@dataclass(frozen=True, slots=True)
class OuterLoopConfig:
    """Settings of the outer loop."""

    steps: int = 4000
    """0 keeps the pre-trained encoder as it is."""
    tasks_per_step: int = 16
    support_sizes: tuple[int, ...] = (8, 16, 32, 64, 128)
    """Totals, one drawn for each episode."""
    query_size: int = 32
    learning_rate: float = 5e-4
    settings_learning_rate: float = 0.01
    """Of what is learned but is no weight: inner learning rates, kernel weights, temperatures."""
    warmup_steps: int = 100
    weight_decay: float = 0.01
    gradient_clip: float = 1.0
    """Largest norm of the whole gradient."""
    panel_power: float = 0.5
    """A panel of m assays over the same molecules is drawn m^(1 - panel_power) times as often as
    one assay: 0 counts each assay, 1 counts the panel as one."""
    validate_every: int = 500
    """Steps between validations, which also keep the best checkpoint; 0 for never."""
    validation_support_sizes: tuple[int, ...] = (16, 64)
    validation_runs: int = 3

    def __post_init__(self) -> None:
        """Refuse what cannot run.

        Raises:
            ConfigError: naming the setting.
        """
        rates = ("learning_rate", "settings_learning_rate")
        for name in ("tasks_per_step", "query_size", *rates, "gradient_clip", "validation_runs"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"training.{name} must be above 0, not {getattr(self, name)}.")
        for name in ("steps", "warmup_steps", "weight_decay", "validate_every"):
            if getattr(self, name) < 0:
                raise ConfigError(
                    f"training.{name} must not be below 0, and is {getattr(self, name)}."
                )
        for name in ("support_sizes", "validation_support_sizes"):
            sizes = getattr(self, name)
            if not sizes or min(sizes) < 2:
                raise ConfigError(f"training.{name} needs totals of at least 2, not {sizes}.")
        if not 0 <= self.panel_power <= 1:
            raise ConfigError(f"training.panel_power must be in 0..1, not {self.panel_power}.")


_TABLES: Final[dict[str, type[Any]]] = {
    "encoder": EncoderConfig,
    "pretraining": PretrainingConfig,
    "feature_weights": FeatureWeightsConfig,
    "training": OuterLoopConfig,
    "calibration": CalibrationConfig,
}


@dataclass(frozen=True, slots=True)
class RunConfig:
    """A whole run; in TOML `seed` and a table for each other field."""

    learner: str
    learner_config: Any
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    pretraining: PretrainingConfig = field(default_factory=PretrainingConfig)
    feature_weights: FeatureWeightsConfig = field(default_factory=FeatureWeightsConfig)
    training: OuterLoopConfig = field(default_factory=OuterLoopConfig)
    calibration: CalibrationConfig = field(default_factory=CalibrationConfig)
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be trained.

        Raises:
            ConfigError: no such learner, one without weights, or a negative seed.
        """
        kind = trainable_kind(self.learner)
        if self.feature_weights.steps and not issubclass(kind, DeepKernel):
            raise ConfigError(
                f"A {kind.__name__} weighs no features: feature_weights.steps must be 0."
            )
        if self.seed < 0:
            raise ConfigError(f"seed must not be below 0, and is {self.seed}.")


def trainable_kind(name: str) -> type[Learner]:
    """The learner called `name`.

    Raises:
        ConfigError: there is none, or it has no weights to train.
    """
    trainable = {name: kind for name, kind in LEARNERS.items() if kind.trainable}
    if name not in trainable:
        raise ConfigError(
            f"There is no learner {name!r} to train; known are {', '.join(trainable)}."
        )
    return trainable[name]


def read_config(path: Path) -> RunConfig:
    """The settings in a TOML file.

    Raises:
        ConfigError: not readable, not TOML, an unknown key, or a value out of range.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"The configuration {path} cannot be read: {error}.") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"The configuration {path} is not valid TOML: {error}.") from error
    return parse_config(document)


def parse_config(document: Mapping[str, Any]) -> RunConfig:
    """The settings in a parsed TOML document.

    Raises:
        ConfigError: an unknown key, or a value of the wrong type or out of range.
    """
    unknown = sorted(set(document) - {"seed", "learner", *_TABLES})
    if unknown:
        raise ConfigError(
            f"Unknown in the configuration: {', '.join(unknown)}. "
            f"It may hold seed and the tables learner, {', '.join(_TABLES)}."
        )
    learner = document.get("learner")
    if not isinstance(learner, dict) or not isinstance(learner.get("name"), str):
        raise ConfigError('The configuration needs a table [learner] with a name, e.g. "protonet".')
    settings = dict(learner)
    name = settings.pop("name")
    return RunConfig(
        learner=name,
        learner_config=from_json(settings, trainable_kind(name).Config, "learner"),
        **{
            table: from_json(document.get(table, {}), kind, table)
            for table, kind in _TABLES.items()
        },
        seed=from_json(document.get("seed", 0), int, "seed"),
    )


def as_document(config: RunConfig) -> dict[str, Any]:
    """The settings as JSON has them, without tuples; `parse_config` reads them back."""
    document: dict[str, Any] = json.loads(
        json.dumps(
            {
                "seed": config.seed,
                "learner": {"name": config.learner, **asdict(config.learner_config)},
                **{table: asdict(getattr(config, table)) for table in _TABLES},
            }
        )
    )
    return document
