"""Imports run one way: held by the code's own import lines."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# From left to right; a room imports itself and what stands before it.
ORDER = (
    *("errors", "device", "forkserver", "typed_json", "whole_file", "sealed_file", "chem"),
    *("assays", "encoders", "learners", "learner_weights", "stored_support", "checkpoint"),
    *("scores", "text_scoring", "target"),
    *("explanation", "suggestion", "evaluation", "ranked_table"),
    *("molecule_input", "predictor", "embedding", "deepchem_models"),
    *("screening", "index", "report", "server", "training", "molmeta_cli"),
)
# What predicting may do without: each costs import time, memory, or both.
NOT_FOR_PREDICTION = ("torch_geometric", "optuna", "deepchem", "sklearn", "scipy", "pandas")


def _files() -> list[Path]:
    return [*(ROOT / "molmeta").rglob("*.py"), *(ROOT / "cli" / "molmeta_cli").rglob("*.py")]


def _room(module: str) -> str | None:
    """The room of a module of ours: `molmeta.chem.batch` is in `chem`."""
    package, _, rest = module.partition(".")
    if package == "molmeta_cli":
        return package
    return rest.partition(".")[0] if package == "molmeta" and rest else None


def _imported_rooms(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    modules = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            modules.add(node.module or "")
        elif isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
    return {room for module in modules if (room := _room(module))}


@pytest.mark.parametrize("path", _files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_room_imports_only_rooms_before_it(path: Path) -> None:
    below = ROOT if "molmeta_cli" not in path.parts else ROOT / "cli"
    room = _room(".".join(path.relative_to(below).with_suffix("").parts))
    if room in (None, "__init__"):
        return  # the package root only names where things are
    allowed = ORDER[: ORDER.index(room) + 1]
    assert _imported_rooms(path) <= set(allowed)


def test_every_room_has_its_place_in_the_order() -> None:
    names = {path.stem for path in (ROOT / "molmeta").glob("*.py")} - {"__init__"}
    names |= {path.parent.name for path in (ROOT / "molmeta").glob("*/__init__.py")}
    assert names | {"molmeta_cli"} == set(ORDER)


def _loaded_after(code: str) -> set[str]:
    script = f"import sys\n{code}\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return set(done.stdout.splitlines()[-1].split())


def test_predicting_loads_nothing_it_can_do_without() -> None:
    loaded = _loaded_after("import molmeta.target, molmeta.screening")
    assert loaded.isdisjoint(NOT_FOR_PREDICTION)
    assert "torch" in loaded


def test_importing_the_package_loads_no_heavy_library() -> None:
    assert _loaded_after("import molmeta").isdisjoint({*NOT_FOR_PREDICTION, "torch", "rdkit"})


def test_training_from_featurised_assays_needs_no_chemistry() -> None:
    # A GPU machine may have torch and torch_geometric only.
    blocked = (
        "for name in ('rdkit', 'optuna', 'deepchem', 'click', 'pandas'): sys.modules[name] = None"
    )
    loaded = _loaded_after(f"{blocked}\nimport molmeta.training.outer_loop, molmeta.assays.store")
    assert "torch" in loaded
