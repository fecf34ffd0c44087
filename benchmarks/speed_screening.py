"""`molmeta predict` beside `chemprop predict`: CPU time, memory, and how both grow."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks.speed_clock import Cost, Row, costs, run
from benchmarks.speed_library import smiles, write_csv

SUPPORT = Path(__file__).parents[1] / "examples" / "herg_support.csv"
MOLMETA = (sys.executable, "-m", "molmeta_cli.main")
BARE = "import torch, rdkit.Chem"
_N_TRAIN = 300
_CHEMPROP = "chemprop predict"
_CUIK = "chemprop predict, cuik-molmaker"


def measure(
    n: int, repeats: int, folder: Path, peers: Path | None, library: Path | None
) -> list[Row]:
    """A CSV of `n` rows, one SMILES, and --help.

    Args:
        n: rows of the large file.
        repeats: of each command.
        folder: for files in between.
        peers: the Python of an environment with chemprop.
        library: molecules of one's own.
    """
    many = write_csv(smiles(n, library), folder / "many.csv")
    one = write_csv(smiles(1, library), folder / "one.csv")
    model = None if peers is None else _chemprop_model(peers, folder, library)

    def commands(table: Path) -> dict[str, list[object]]:
        own = {"own": predict(table, folder / "own.csv")}
        if peers is None or model is None:
            return own
        theirs = [_script(peers, "chemprop"), "predict", "-i", table, "-o", folder / "theirs.csv"]
        theirs += ["--model-paths", model, "--accelerator", "cpu", "-n", "0", "-q"]
        found = own | {_CHEMPROP: theirs}
        if _has(peers, "cuik_molmaker"):
            found[_CUIK] = [*theirs, "--use-cuikmolmaker-featurization"]
        return found

    large, single = costs(commands(many), repeats), costs(commands(one), repeats)
    nothing = {"help": [*MOLMETA, "--help"], "bare": [sys.executable, "-c", BARE]}
    start = costs(nothing, repeats)
    what = f"CSV of {n:,} rows"
    return [
        _row(f"{what}, CPU", large, "cpu", _CHEMPROP, goal=1 / 4),
        _row(f"{what}, CPU", large, "cpu", _CUIK, goal=1 / 3),
        _row(f"{what}, memory", large, "memory", _CHEMPROP, goal=1 / 2),
        _row("one SMILES, cold, CPU", single, "cpu", _CHEMPROP, goal=1 / 2),
        Row("one SMILES, cold, CPU", single["own"].cpu, "s", BARE, start["bare"].cpu, guard=1.6),
        Row("molmeta --help, CPU", start["help"].cpu, "s", "the limit", 0.1, goal=1),
        Row("molmeta --help, CPU", start["help"].cpu, "s", BARE, start["bare"].cpu, guard=0.3),
    ]


def by_size(sizes: list[int], folder: Path, library: Path | None) -> dict[int, float]:
    """CPU seconds that a CSV of each size takes beyond those of a single row, once."""
    seconds = {}
    for n in (1, *sizes):
        table = write_csv(smiles(n, library), folder / f"{n}.csv")
        seconds[n] = run(predict(table, folder / "scored.csv")).cpu
    return {n: seconds[n] - seconds[1] for n in sizes}


def by_processes(
    counts: list[int], n: int, repeats: int, folder: Path, library: Path | None
) -> dict[int, float]:
    """Wall seconds of a CSV of `n` rows by number of processes; they need as many idle cores.

    Not CPU seconds: those of the processes that score are not their starter's.
    """
    table = write_csv(smiles(n, library), folder / "shared.csv")
    commands = {
        str(k): [*predict(table, folder / "scored.csv"), "--workers", str(k)] for k in counts
    }
    return {int(name): cost.wall for name, cost in costs(commands, repeats).items()}


def predict(table: Path, output: Path) -> list[object]:
    """The command that scores a table on one thread."""
    words = [*MOLMETA, "predict", "--support", SUPPORT, "--input", table, "--output", output]
    return [*words, "--overwrite", "--threads", "1", "--quiet"]


def _row(job: str, found: dict[str, Cost], field: str, rival: str, goal: float) -> Row:
    unit = "MB" if field == "memory" else "s"
    other = getattr(found[rival], field) if rival in found else None
    return Row(job, getattr(found["own"], field), unit, rival, other, goal)


def _chemprop_model(peers: Path, folder: Path, library: Path | None) -> Path | None:
    """A model of chemprop's default size hardly trained; None where chemprop is not installed."""
    if not _has(peers, "chemprop"):
        return None
    rows = [f"{text},{len(text)}" for text in smiles(_N_TRAIN, library)]
    table = folder / "train.csv"
    table.write_text("\n".join(["smiles,y", *rows]) + "\n", encoding="utf-8")
    words = [_script(peers, "chemprop"), "train", "-i", table, "-o", folder / "chemprop"]
    run([*words, "-t", "regression", "--epochs", "3", "--accelerator", "cpu", "-n", "0"])
    return next((folder / "chemprop").rglob("best.pt"))


def _script(peers: Path, name: str) -> Path:
    return peers.parent / name


def _has(peers: Path, module: str) -> bool:
    code = f"import importlib.util as u, sys; sys.exit(u.find_spec({module!r}) is None)"
    return subprocess.run([peers, "-c", code], check=False).returncode == 0
