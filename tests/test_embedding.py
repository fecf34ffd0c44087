"""MoleculeEmbedding: the vectors of the meta-trained encoder, in scikit-learn's ways."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline

from molmeta import MoleculeEmbedding
from molmeta.checkpoint import save_checkpoint
from molmeta.chem.features import featurize
from molmeta.chem.intake import read_smiles
from molmeta.errors import ConfigError
from tests.tiny_model import LABELS, LIKE_ACTIVES, SUPPORT, tiny_checkpoint


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "tiny.molmeta"
    save_checkpoint(path, tiny_checkpoint())
    return path


def test_vectors_are_those_of_the_encoder_at_unit_length(model: Path) -> None:
    vectors = MoleculeEmbedding(model).fit_transform(list(SUPPORT))
    with torch.no_grad():
        raw = tiny_checkpoint().learner.encoder(featurize([read_smiles(s) for s in SUPPORT]))
    expected = raw.numpy() / np.linalg.norm(raw.numpy(), axis=1, keepdims=True)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, expected, atol=1e-6)


def test_more_molecules_than_a_pass_takes_give_the_same_vectors(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedding = MoleculeEmbedding(model).fit()
    at_once = embedding.transform(SUPPORT)
    monkeypatch.setattr("molmeta.embedding.BATCH", 3)
    np.testing.assert_allclose(embedding.transform(SUPPORT), at_once, atol=1e-6)


def test_rejected_molecules_are_nan_in_their_rows_with_one_warning(model: Path) -> None:
    embedding = MoleculeEmbedding(model).fit()
    with pytest.warns(UserWarning, match=r"2 of 3 .*1 empty, 1 parse_error.*row 0.*no text") as w:
        vectors = embedding.transform([None, LIKE_ACTIVES, "C1CC"])
    assert len(w) == 1
    assert Path(w[0].filename) == Path(__file__)
    assert np.isnan(vectors).all(1).tolist() == [True, False, True]
    np.testing.assert_array_equal(vectors[1:2], embedding.transform([LIKE_ACTIVES]))


def test_no_molecules_give_no_rows(model: Path) -> None:
    assert MoleculeEmbedding(model).fit_transform([]).shape == (0, 8)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_come_out_with_the_names_of_the_features(model: Path, library: str) -> None:
    pytest.importorskip(library)
    embedding = MoleculeEmbedding(model).set_output(transform=library)
    frame = embedding.fit_transform(list(SUPPORT))
    assert type(frame).__module__.startswith(library)
    assert list(frame.columns) == [f"moleculeembedding{i}" for i in range(8)]
    assert list(frame.columns) == embedding.get_feature_names_out().tolist()


def test_a_pandas_frame_keeps_the_index_of_its_molecules(model: Path) -> None:
    pandas = pytest.importorskip("pandas")
    molecules = pandas.DataFrame({"id": "x", "smiles": SUPPORT}, index=range(5, 5 + len(SUPPORT)))
    frame = MoleculeEmbedding(model).set_output(transform="pandas").fit_transform(molecules)
    assert frame.index.tolist() == molecules.index.tolist()


def test_any_model_of_scikit_learn_learns_from_it_in_a_pipeline(model: Path) -> None:
    pipeline = make_pipeline(MoleculeEmbedding(model), LogisticRegression())
    assert np.isfinite(cross_val_score(pipeline, list(SUPPORT), LABELS, cv=2)).all()
    search = GridSearchCV(pipeline, {"logisticregression__C": [0.1, 10]}, cv=2)
    search.fit(np.array(SUPPORT), LABELS)
    assert search.predict_proba([LIKE_ACTIVES]).shape == (1, 2)


def test_it_can_be_cloned_and_pickled_and_says_when_it_is_not_fitted(model: Path) -> None:
    fitted = MoleculeEmbedding(model).fit()
    copy = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(copy.transform(SUPPORT), fitted.transform(SUPPORT))
    with pytest.raises(NotFittedError):
        clone(fitted).transform(SUPPORT)


def test_a_method_without_an_encoder_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "forest.molmeta"
    save_checkpoint(path, tiny_checkpoint("random_forest"))
    with pytest.raises(ConfigError, match="RandomForest, which has no encoder"):
        MoleculeEmbedding(path).fit()
