"""`python -m benchmarks.properties`: properties of molecules, and one line for each method."""

import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from rdkit import Chem
from rdkit.Chem import Crippen, Descriptors

from benchmarks import properties
from molmeta.checkpoint import save_checkpoint
from tests.molecules import DRUGS
from tests.tiny_model import tiny_checkpoint


def test_solubility_is_delaneys_equation() -> None:
    aspirin = Chem.MolFromSmiles("CC(=O)Oc1ccccc1C(=O)O")
    by_hand = 0.16 - 0.63 * Crippen.MolLogP(aspirin) - 0.0062 * Descriptors.MolWt(aspirin)
    by_hand += 0.066 * 2 - 0.74 * 6 / 13
    assert properties.PROPERTIES["solubility"](aspirin) == pytest.approx(by_hand, abs=0.01)


def test_every_method_has_figures_for_clean_and_noisy_properties(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(properties, "BASELINES", ("tanimoto_gp",))
    (tmp_path / "library.smi").write_text("".join(f"{smiles}\n" for smiles in DRUGS))
    save_checkpoint(tmp_path / "tiny.molmeta", tiny_checkpoint())
    arguments = ["--molecules", str(tmp_path / "library.smi"), "--draws", "1"]
    arguments += ["--model", str(tmp_path / "tiny.molmeta"), "--support-size", "20"]
    done = CliRunner().invoke(properties.main, arguments, catch_exceptions=False)
    lines = done.output.splitlines()
    assert lines[0].startswith(f"{len(DRUGS)} molecules")
    found = {line[:25].strip(): re.findall(r"-?\d\.\d+", line) for line in lines[1:]}
    assert set(found) == {
        f"{name:18} {kind}"
        for name in ("model", "model, no memory", "tanimoto_gp")
        for kind in ("clean", "noisy")
    }
    r2, coverage = np.array([*found.values()], dtype=float).T
    assert (r2 < 1).all()
    assert ((coverage >= 0) & (coverage <= 1)).all()
    assert (found["model              clean"]) != found["model              noisy"]
