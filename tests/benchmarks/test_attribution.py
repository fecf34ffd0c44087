"""`python -m benchmarks.attribution`: side chains cut where they hang, a row for each figure."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from rdkit import Chem

from benchmarks import attribution
from molmeta.chem.intake import Molecule, read_smiles
from tests.benchmarks.fold import write_fold


def test_each_figure_has_a_row(tmp_path: Path) -> None:
    done = CliRunner().invoke(attribution.main, [*write_fold(tmp_path), "--molecules", "2"])
    assert done.exit_code == 0, done.output
    first, *rows = done.output.splitlines()
    assert first == "2 molecules"
    names = ["random", "raising", "lowering", "cut", "others cut", "correlation"]
    assert [row[:12].rstrip() for row in rows] == names


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
