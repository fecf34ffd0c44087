"""Ten thousand damaged SMILES through the intake; `python -m benchmarks.mutate` takes a million."""

from itertools import islice
from pathlib import Path

from click.testing import CliRunner

from benchmarks.mutate import Verdicts, examine, main, mutations
from molmeta.chem.intake import Status
from tests.molecules import MOLECULES

N = 10_000


def test_every_damaged_smiles_has_its_verdict_in_little_time() -> None:
    verdicts = Verdicts()
    examine(islice(mutations(MOLECULES, seed=1), N), verdicts)
    assert verdicts.by_status.total() == N
    # Enough of each kind to have tried the ways through the intake.
    tried = (Status.OK, Status.OK_CHANGED, Status.NOT_SMILES, Status.PARSE_ERROR)
    tried += (Status.SANITIZE_ERROR, Status.MIXTURE, Status.WILDCARD_OR_QUERY)
    assert min(verdicts.by_status[status] for status in tried) > 20
    assert verdicts.slowest[0] < 5
    assert verdicts.unstable == []


def test_the_same_seed_gives_the_same_texts() -> None:
    first, again, other = (list(islice(mutations(MOLECULES, s), 200)) for s in (1, 1, 2))
    assert first == again != other
    assert len(set(first)) > 150


def test_the_command_counts_every_text(tmp_path: Path) -> None:
    (tmp_path / "m.smi").write_text("\n".join(MOLECULES) + "\n")
    result = CliRunner().invoke(main, ["--input", str(tmp_path / "m.smi"), "--n", "2500"])
    assert result.exit_code == 0, result.output
    assert "2500 texts from" in result.output
    assert ": 2500 verdicts" in result.output


def test_texts_are_examined_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "m.smi").write_text("\n".join([*MOLECULES, "C(", "nonsense", "", "CCO>>C"]) + "\n")
    result = CliRunner().invoke(main, ["--input", str(tmp_path / "m.smi"), "--as-they-are"])
    assert result.exit_code == 0, result.output
    assert f": {len(MOLECULES) + 4} verdicts" in result.output
    for status in ("parse_error", "not_smiles", "empty", "reaction"):
        assert any(line.split()[:2] == [status, "1"] for line in result.output.splitlines())
