"""molmeta inside DeepChem: its loaders featurise, and its metrics judge."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from molmeta import FewShotClassifier, FewShotRegressor, MoleculeEmbedding
from molmeta.assays.deepchem_datasets import quiet_deepchem
from molmeta.checkpoint import save_checkpoint
from molmeta.errors import ConfigError, InputError
from tests.tiny_model import LABELS, LIKE_ACTIVES, LIKE_INACTIVES, SUPPORT, tiny_checkpoint

try:
    with quiet_deepchem() as deepchem:
        from molmeta.deepchem_models import EmbeddingFeaturizer, FewShotModel
except ConfigError as error:
    pytest.skip(str(error), allow_module_level=True)

QUERY = [LIKE_ACTIVES, LIKE_INACTIVES, "CC(=O)Nc1ccc(N)cc1", "CCCCCCCC"]
OF_QUERY = [1.0, 0.0, 0.0, 1.0]


@pytest.fixture(scope="module")
def learner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "tiny.molmeta"
    save_checkpoint(path, tiny_checkpoint())
    return path


@pytest.fixture
def model(learner: Path) -> FewShotModel:
    model = FewShotModel(FewShotClassifier(learner))
    model.fit(dataset(SUPPORT, LABELS))
    return model


def dataset(smiles, labels, weights=None):
    """Features that say nothing: the model must not look at them."""
    y = np.array(labels, dtype=float).reshape(len(smiles), -1)
    w = np.ones_like(y) if weights is None else np.array(weights, dtype=float).reshape(y.shape)
    return deepchem.data.NumpyDataset(np.zeros((len(smiles), 2)), y, w, list(smiles))


def test_a_loader_gets_embeddings_and_leaves_unreadable_rows_out(
    learner: Path, tmp_path: Path
) -> None:
    table = tmp_path / "assay.csv"
    rows = [f"{smiles},{label}" for smiles, label in zip(SUPPORT, LABELS, strict=True)]
    table.write_text("\n".join(["smiles,activity", *rows[:2], "C1CC,1", *rows[2:]]) + "\n")
    loader = deepchem.data.CSVLoader(
        ["activity"], feature_field="smiles", featurizer=EmbeddingFeaturizer(learner)
    )
    with pytest.warns(UserWarning, match="1 of 9 molecules have no embedding"):
        loaded = loader.create_dataset(str(table))
    np.testing.assert_array_equal(loaded.X, MoleculeEmbedding(learner).fit_transform(SUPPORT))
    assert loaded.ids.tolist() == list(SUPPORT)


def test_a_featurizer_takes_one_molecule_as_others_of_deepchem_do(learner: Path) -> None:
    featurizer = EmbeddingFeaturizer(learner)
    assert featurizer(LIKE_ACTIVES).shape == (1, 8)
    assert str(featurizer).startswith("EmbeddingFeaturizer")


def test_predictions_are_those_of_the_estimator_with_an_axis_of_tasks(
    model: FewShotModel, learner: Path
) -> None:
    alone = FewShotClassifier(learner).fit(SUPPORT, LABELS)
    predictions = model.predict(dataset(QUERY, OF_QUERY))
    np.testing.assert_array_equal(predictions, alone.predict_proba(QUERY)[:, None])
    assert (model.get_task_type(), model.get_num_tasks()) == ("classification", 1)


def test_metrics_of_deepchem_judge_what_has_a_label_and_a_structure(model: FewShotModel) -> None:
    # Taken in, the third would have the label 0, and the last would make every metric NaN.
    judged = dataset([*QUERY, "C1CC"], [*OF_QUERY, 1.0], [1, 1, 0, 1, 1])
    metric = deepchem.metrics.Metric(deepchem.metrics.roc_auc_score)
    scores = model.evaluate(judged, [metric])
    kept = [0, 1, 3]
    active = model.model.predict_proba(QUERY)[kept, 1]
    assert scores["roc_auc_score"] == roc_auc_score(np.array(OF_QUERY)[kept], active)


def test_values_are_judged_on_the_scale_that_they_were_transformed_from(learner: Path) -> None:
    values = np.linspace(4, 9, len(SUPPORT))
    raw = dataset(SUPPORT, values)
    normal = deepchem.trans.NormalizationTransformer(transform_y=True, dataset=raw)
    model = FewShotModel(FewShotRegressor(learner))
    model.fit(normal.transform(raw))
    predictions = model.predict(raw, [normal])
    direct = FewShotRegressor(learner).fit(SUPPORT, values).predict(SUPPORT)
    np.testing.assert_allclose(predictions[:, 0], direct, atol=1e-4)
    metric = deepchem.metrics.Metric(deepchem.metrics.mae_score)
    scores = model.evaluate(normal.transform(raw), [metric], [normal])
    assert scores["mae_score"] == pytest.approx(np.abs(direct - values).mean(), abs=1e-4)
    assert model.get_task_type() == "regression"


def test_a_task_of_many_is_named(learner: Path) -> None:
    labels = np.stack([np.zeros(len(SUPPORT)), LABELS], axis=1)
    both = dataset(SUPPORT, labels)
    model = FewShotModel(FewShotClassifier(learner), task=1)
    model.fit(both)
    single = FewShotClassifier(learner).fit(SUPPORT, LABELS)
    np.testing.assert_array_equal(model.predict_on_batch(QUERY)[:, 0], single.predict_proba(QUERY))
    for task in (None, "SR-p53"):
        with pytest.raises(InputError, match="Say which task"):
            FewShotModel(FewShotClassifier(learner), task=task).fit(both)


def test_a_dataset_without_structures_is_refused(learner: Path) -> None:
    numbered = dataset(["1", "2"], [1, 0])
    with pytest.raises(InputError, match=r"None of the 2 rows .* '1'"):
        FewShotModel(FewShotClassifier(learner)).fit(numbered)


def test_a_saved_model_predicts_the_same(model: FewShotModel, learner: Path) -> None:
    before = model.predict(dataset(QUERY, OF_QUERY))
    model.save()
    other = FewShotModel(FewShotClassifier(learner), model_dir=model.model_dir)
    other.reload()
    np.testing.assert_array_equal(other.predict(dataset(QUERY, OF_QUERY)), before)


def test_importing_it_prints_nothing() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import molmeta.deepchem_models"], capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("", "")
