"""`python -m benchmarks.speed`: what it measures, and that a broken guard is told and fails."""

import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from benchmarks import speed, speed_intake, speed_library, speed_peer_maml, speed_training
from benchmarks.speed_clock import Row, medians, run
from benchmarks.speed_scaling import Growth, figure
from molmeta.assays.task import LabeledMolecules
from molmeta.chem.intake import Molecule, read_smiles


def busy(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def test_medians_are_of_cpu_time_and_leave_out_the_first_turn() -> None:
    turns = iter([0.2, 0.0, 0.0, 0.05])
    found = medians(
        {"sleeps": lambda: time.sleep(0.05), "first": lambda: busy(next(turns))}, repeats=3
    )
    assert found["sleeps"] < 0.03
    assert found["first"] < 0.03


def test_a_process_costs_what_it_and_its_children_take_and_nothing_of_ours() -> None:
    ours = torch.ones(2**26)  # 256 MB
    work = "import subprocess, sys; b = bytes(range(256)) * 2**18; sum(range(2**23))"
    # Four times the work, so that it is told from noise on a busy machine.
    child = f"{work}; subprocess.run([sys.executable, '-c', 'sum(range(2**25))'])"
    alone, both = run([sys.executable, "-c", work]), run([sys.executable, "-c", child])
    assert both.cpu > 1.3 * alone.cpu > 0
    assert 64 < alone.memory < 200
    assert len(ours) == 2**26


def test_a_command_that_fails_is_told_with_its_last_words() -> None:
    with pytest.raises(subprocess.CalledProcessError) as told:
        run([sys.executable, "-c", "raise SystemExit('no such thing')"])
    assert "no such thing" in told.value.stderr


def test_a_rival_that_is_absent_has_no_figure_and_breaks_no_guard() -> None:
    absent = Row("job", 3.0, "s", "rival", None, goal=1, guard=1)
    assert absent.cells()[3:] == ("absent", "", "", "")
    assert not absent.is_broken
    met, missed = (Row("job", own, "s", "rival", 2.0, goal=1, guard=1.4) for own in (1.0, 3.0))
    assert met.cells()[4:] == ("0.5", "<= 1", "yes")
    assert missed.cells()[4:] == ("1.5", "<= 1", "no")
    assert missed.is_broken
    assert not met.is_broken


def test_the_library_has_different_molecules_that_can_be_read() -> None:
    texts = speed_library.smiles(300)
    read = [one for one in map(read_smiles, texts) if isinstance(one, Molecule)]
    assert len({molecule.smiles for molecule in read}) == 300
    assert 15 < sum(molecule.mol.GetNumAtoms() for molecule in read) / 300 < 35


def test_a_library_of_ones_own_is_read_from_its_start(tmp_path: Path) -> None:
    table = speed_library.write_csv(["CCO", "nonsense", "CCN", "CCC"], tmp_path / "own.csv")
    assert speed_library.smiles(2, table) == ["CCO", "CCN"]
    with pytest.raises(ValueError, match="only 3"):
        speed_library.smiles(4, table)


def test_the_exponent_is_that_of_a_power_law() -> None:
    assert Growth("cost", "size", {n: 3 * n**1.5 for n in (1, 4, 16, 64)}).exponent == (
        pytest.approx(1.5)
    )


def test_the_figure_is_an_svg_that_says_each_exponent() -> None:
    growths = [
        Growth("adapting", "support size", {16: 0.1, 32: 0.2, 64: 0.4}),
        Growth("predict", "library size", {1000: 1.0, 10000: 1.0}),
    ]
    root = ET.fromstring(figure(growths))
    assert root.attrib["aria-label"] == (
        "adapting by support size: exponent 1.00; predict by library size: exponent 0.00"
    )


def test_the_gradient_that_is_timed_is_that_of_the_steps_written_out() -> None:
    episode = next(iter(speed_training.draw(1, speed_library.smiles(60))))
    support, query = episode.support, episode.query
    torch.manual_seed(0)
    network = speed_peer_maml.Network()
    start = dict(network.named_parameters())
    task = (support.molecules, support.labels, query.molecules, query.labels)
    speed_peer_maml.by_molmeta(network, task)

    def error(point: dict[str, torch.Tensor], side: LabeledMolecules) -> torch.Tensor:
        logits = torch.func.functional_call(network, point, (side.molecules,))
        return torch.nn.functional.binary_cross_entropy_with_logits(logits, side.labels)

    point = start
    for _ in range(speed_peer_maml.STEPS):
        gradients = torch.autograd.grad(
            error(point, support), list(point.values()), create_graph=True
        )
        point = {
            name: value - speed_peer_maml.RATE * gradient
            for (name, value), gradient in zip(point.items(), gradients, strict=True)
        }
    expected = torch.autograd.grad(error(point, query), list(start.values()))
    for (name, parameter), gradient in zip(start.items(), expected, strict=True):
        assert parameter.grad is not None
        assert torch.allclose(parameter.grad, gradient, rtol=1e-4, atol=1e-7), name


@pytest.mark.parametrize(("guard", "code"), [(1e-9, 1), (1e9, 0)])
def test_a_broken_guard_is_told_and_fails(
    guard: float, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = Row("SMILES to arrays", 2.0, "us", "a rival", 1.0, guard=guard)
    monkeypatch.setattr(speed_intake, "measure", lambda *_: [row])
    done = CliRunner().invoke(speed.main, ["--quick", "--job", "intake"])
    assert done.exit_code == code, done.output
    assert ("SMILES to arrays: 2.00 of a rival" in done.output) == bool(code)


def test_the_intake_is_measured_beside_the_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed_intake, "_deepchem", lambda _: None)
    rows = {row.rival: row for row in speed_intake.measure(speed_library.smiles(64), repeats=1)}
    ratio = rows[speed_intake.PARSER].ratio
    assert ratio is not None
    assert ratio > 1
    assert rows[speed_intake.PYG].own == rows[speed_intake.PARSER].own
    assert rows[speed_intake.DEEPCHEM].ratio is None
