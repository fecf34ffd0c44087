"""The model that comes with the package: what its card says is what the file holds."""

import re
from pathlib import Path

import pytest

from molmeta.checkpoint import Checkpoint, load_checkpoint, shipped_model_path
from molmeta.predictor import FewShotClassifier
from tests.tiny_model import LABELS, LIKE_ACTIVES, LIKE_INACTIVES, SUPPORT

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def shipped() -> Checkpoint:
    return load_checkpoint(shipped_model_path())


def test_it_is_no_larger_than_twenty_megabytes() -> None:
    assert shipped_model_path().stat().st_size < 20e6


@pytest.mark.parametrize(
    ("row", "metric"),
    [
        ("ΔAUPRC, meta-valid", "valid_delta_auprc"),
        ("ΔAUPRC, novel", "novel_delta_auprc"),
        ("R², meta-valid", "valid_r2"),
        ("R², novel", "novel_r2"),
        ("coverage of 90 % intervals, meta-valid", "valid_coverage"),
        ("coverage of 90 % intervals, novel", "novel_coverage"),
    ],
)
def test_the_cards_table_is_the_files(shipped: Checkpoint, row: str, metric: str) -> None:
    card = (shipped_model_path().parent / "README.md").read_text(encoding="utf-8")
    line = next(line for line in card.splitlines() if line.startswith(f"| {row} |"))
    stated = re.findall(r"(\.\d{3}) ± (\.\d{3})", line)
    sizes = (16, 32, 64, 128, 256)
    held = [(shipped.metrics[f"{metric}_{n}"], shipped.metrics[f"{metric}_{n}_se"]) for n in sizes]
    assert stated == [(f"{mean:.3f}"[1:], f"{error:.3f}"[1:]) for mean, error in held]


def test_it_says_where_it_comes_from(shipped: Checkpoint) -> None:
    assert shipped.provenance.licence == "CC BY-SA 3.0"
    assert len(shipped.seen_keys) == 198_729
    assert shipped.learner.memory is not None


def test_the_shipped_model_learns_a_simple_assay() -> None:
    classifier = FewShotClassifier().fit(SUPPORT, LABELS)
    like, unlike = classifier.predict_proba([LIKE_ACTIVES, LIKE_INACTIVES])[:, 1]
    assert like > 0.7 > 0.3 > unlike


def test_twenty_ways_to_write_a_molecule_give_one_score() -> None:
    from rdkit import Chem

    classifier = FewShotClassifier().fit(SUPPORT, LABELS)
    for smiles in ("C[C@H](N)C(=O)N[C@@H](C)C(=O)O", "C/C=C/c1ccc2[nH]ccc2c1", "CN(=O)=O"):
        mol = Chem.MolFromSmiles(smiles)
        texts = [smiles, *(Chem.MolToSmiles(mol, doRandom=True) for _ in range(20))]
        scores = classifier.predict_proba(texts)[:, 1]
        assert scores.max() - scores.min() < 1e-6
