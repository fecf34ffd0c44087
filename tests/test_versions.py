"""The versions that molmeta is tried with are the lowest and the newest that it may meet."""

import re
import tomllib
from pathlib import Path

from packaging.version import Version

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
REQUIRED = [
    *PROJECT["dependencies"],
    *(line for extra in EXTRAS.keys() - {"docs", "dev"} for line in EXTRAS[extra]),
    # Not needed to use molmeta, which takes its frames.
    *(line for line in EXTRAS["dev"] if line.startswith("polars")),
]


def pinned(file: str) -> dict[str, Version]:
    lines = re.findall(r"^([\w-]+)==(\S+)$", (ROOT / file).read_text(), re.MULTILINE)
    return {name: Version(version) for name, version in lines}


def test_the_oldest_versions_are_the_lower_bounds() -> None:
    bounds = dict(re.match(r"([\w-]+)(?:\[\w+\])?>=([\d.]+)", line).groups() for line in REQUIRED)
    assert pinned("oldest.txt") == {name: Version(bound) for name, bound in bounds.items()}


def test_the_constraints_are_not_older_than_the_oldest() -> None:
    oldest, newest = pinned("oldest.txt"), pinned("constraints.txt")
    assert [name for name in oldest if name in newest and newest[name] < oldest[name]] == []
    assert oldest.keys() - newest.keys() <= {"tensorboard"}
