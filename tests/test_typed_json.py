from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from molmeta.errors import ConfigError
from molmeta.typed_json import from_json


@dataclass(frozen=True, slots=True)
class Inner:
    rate: float
    kind: Literal["a", "b"] = "a"


@dataclass(frozen=True, slots=True)
class Outer:
    name: str
    sizes: tuple[int, ...] = ()
    on: bool = False
    inner: Inner = field(default_factory=lambda: Inner(0.5))
    scores: dict[str, float] = field(default_factory=dict)
    anything: Any = None


def test_lists_become_tuples_and_dicts_become_dataclasses():
    value = {
        "name": "x",
        "sizes": [1, 2],
        "on": True,
        "inner": {"rate": 1, "kind": "b"},
        "scores": {"auc": 0.7},
        "anything": [None],
    }
    expected = Outer("x", (1, 2), True, Inner(1.0, "b"), {"auc": 0.7}, [None])
    assert from_json(value, Outer, "it") == expected


def test_a_whole_number_becomes_a_float_where_one_is_wanted():
    found = from_json({"rate": 2}, Inner, "it")
    assert type(found.rate) is float


def test_what_is_left_out_takes_its_default():
    assert from_json({"name": "x"}, Outer, "it") == Outer("x")


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ({}, "it lacks the entry name"),
        ({"name": "x", "sise": 1}, "it has no entry 'sise'; it has name, sizes"),
        ({"name": 5}, "it.name cannot be 5"),
        ({"name": None}, "it.name cannot be None"),
        ({"name": "x", "on": 1}, "it.on cannot be 1"),
        ({"name": "x", "sizes": [True]}, "it.sizes cannot be True"),
        ({"name": "x", "sizes": [1.0]}, "it.sizes cannot be 1.0"),
        ({"name": "x", "sizes": "12"}, "it.sizes cannot be '12'"),
        ({"name": "x", "scores": {"auc": "high"}}, "it.scores.auc cannot be 'high'"),
        ({"name": "x", "scores": {"auc": float("nan")}}, "it.scores.auc cannot be nan"),
        ({"name": "x", "scores": {"auc": 10**400}}, "it.scores.auc cannot be 1000"),
        ({"name": "x", "inner": {"rate": True}}, "it.inner.rate cannot be True"),
        ({"name": "x", "inner": {"rate": 1, "kind": "c"}}, "it.inner.kind cannot be 'c'"),
        ({"name": "x", "inner": {"rate": 1, "kind": ["a"]}}, "it.inner.kind cannot be"),
        ([], "it cannot be"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(value, sentence):
    with pytest.raises(ConfigError) as caught:
        from_json(value, Outer, "it")
    assert sentence in str(caught.value)
