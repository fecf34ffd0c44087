"""`python -m benchmarks.attribution`: side chains cut where they hang, a row for each radius."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from rdkit import Chem

from benchmarks import attribution
from molmeta.chem.intake import Molecule, read_smiles
from tests.benchmarks.fold import write_fold


def test_each_radius_has_a_row_of_numbers(tmp_path: Path) -> None:
    done = CliRunner().invoke(attribution.main, [*write_fold(tmp_path), "--molecules", "2"])
    assert done.exit_code == 0, done.output
    assert done.output.startswith("2 molecules")
    assert [line[:8] for line in done.output.splitlines()[1:]] == [
        "radius 0",
        "radius 1",
        "radius 2",
    ]


@pytest.mark.parametrize(
    ("smiles", "rests"),
    [
        ("CCc1ccccc1", {"c1ccccc1", "Cc1ccccc1"}),
        ("Cn1cccc1", {"c1cc[nH]c1"}),
        ("c1ccccc1OC", {"c1ccccc1", "Oc1ccccc1"}),
        ("c1ccccc1", set()),
    ],
)
def test_cutting_a_side_chain_leaves_the_molecule_with_hydrogen_there(
    smiles: str, rests: set[str]
) -> None:
    molecule = read_smiles(smiles)
    assert isinstance(molecule, Molecule)
    found = [attribution._cut(molecule, c) for c in attribution._side_chains(molecule.mol)]
    assert {rest.smiles for rest in found if rest is not None} == {
        Chem.CanonSmiles(rest) for rest in rests
    }
