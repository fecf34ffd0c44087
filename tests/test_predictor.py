"""Both estimators do what scikit-learn expects, and keep rejected molecules in place."""

import importlib.util
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from rdkit import Chem
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

import molmeta
from molmeta import FewShotClassifier, FewShotRegressor
from molmeta.checkpoint import save_checkpoint
from molmeta.chem.intake import Status
from molmeta.errors import InputError, SupportError
from tests.tiny_model import (
    ACTIVES,
    INACTIVES,
    LABELS,
    LIKE_ACTIVES,
    LIKE_INACTIVES,
    SUPPORT,
    VALUES,
    tiny_checkpoint,
)

QUERY = [LIKE_ACTIVES, LIKE_INACTIVES, "CCO"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "tiny.molmeta"
    save_checkpoint(path, tiny_checkpoint())
    return path


@pytest.fixture
def classifier(model: Path) -> FewShotClassifier:
    return FewShotClassifier(model).fit(SUPPORT, LABELS)


def test_probabilities_have_a_row_a_molecule_and_sum_to_one(classifier: FewShotClassifier) -> None:
    probabilities = classifier.predict_proba(QUERY)
    assert probabilities.shape == (3, 2)
    np.testing.assert_allclose(probabilities.sum(1), 1)
    assert probabilities[0, 1] > probabilities[1, 1]
    assert classifier.classes_.tolist() == [0, 1]


def test_classes_and_log_odds_follow_from_the_probabilities(classifier: FewShotClassifier) -> None:
    active = classifier.predict_proba(QUERY)[:, 1]
    np.testing.assert_allclose(classifier.decision_function(QUERY), np.log(active / (1 - active)))
    assert classifier.predict(QUERY).tolist() == (active >= 0.5).astype(float).tolist()


def test_rejected_molecules_are_nan_in_their_rows_with_one_warning(
    classifier: FewShotClassifier,
) -> None:
    texts = ["", LIKE_ACTIVES, "nonsense", None]
    for method in (classifier.predict, classifier.decision_function, classifier.predict_proba):
        with pytest.warns(UserWarning, match="3 of 4 .*2 empty, 1 not_smiles") as caught:
            answers = method(texts)
        assert len(caught) == 1
        missing = np.isnan(answers).reshape(4, -1).all(1)
        assert missing.tolist() == [True, False, True, True]


def test_score_rows_says_why_a_molecule_was_rejected(classifier: FewShotClassifier) -> None:
    rejected, scored = classifier.score_rows(["C1CC", LIKE_ACTIVES])
    assert rejected.status == Status.PARSE_ERROR
    assert "ring" in rejected.reason
    assert scored.probability == classifier.predict_proba([LIKE_ACTIVES])[0, 1]


def _series(values: list[str]) -> object:
    pandas = pytest.importorskip("pandas")
    return pandas.Series(values, index=range(10, 10 + len(values)))


@pytest.mark.parametrize(
    "shape",
    [
        tuple,
        np.array,
        lambda values: np.array(values, dtype=object),
        lambda values: np.array(values)[:, None],
        lambda values: [Chem.MolFromSmiles(value) for value in values],
        _series,
    ],
    ids=["tuple", "array", "object_array", "column", "molecules", "series"],
)
def test_any_sequence_of_molecules_is_taken(
    model: Path, classifier: FewShotClassifier, shape: Callable[[list[str]], object]
) -> None:
    other = FewShotClassifier(model).fit(shape(list(SUPPORT)), np.array(LABELS))
    np.testing.assert_array_equal(
        other.predict_proba(shape(QUERY)), classifier.predict_proba(QUERY)
    )


@pytest.mark.parametrize(
    "labels",
    [
        np.array(LABELS, dtype=bool),
        np.array(LABELS, dtype=float),
        ["active" if label else "inactive" for label in LABELS],
    ],
    ids=["bool", "float", "words"],
)
def test_the_way_labels_are_written_changes_nothing(
    model: Path, classifier: FewShotClassifier, labels: NDArray[np.float64]
) -> None:
    other = FewShotClassifier(model).fit(SUPPORT, labels)
    np.testing.assert_array_equal(other.predict_proba(QUERY), classifier.predict_proba(QUERY))


def test_measured_values_become_classes_by_a_threshold(
    model: Path, classifier: FewShotClassifier
) -> None:
    values = [0.1 if label else 30.0 for label in LABELS]
    other = FewShotClassifier(model, threshold=1.0, active="below").fit(SUPPORT, values)
    np.testing.assert_array_equal(other.predict_proba(QUERY), classifier.predict_proba(QUERY))


def test_rows_of_the_support_that_cannot_be_used_are_reported(model: Path) -> None:
    classifier = FewShotClassifier(model).fit([*SUPPORT, "nonsense"], [*LABELS, 1])
    assert len(classifier.support_) == len(SUPPORT)
    assert classifier.support_.rows[-1].status == Status.NOT_SMILES


def test_actives_alone_are_refused_unless_tiny_is_allowed(model: Path) -> None:
    with pytest.raises(SupportError):
        FewShotClassifier(model).fit(ACTIVES, [1] * len(ACTIVES))
    classifier = FewShotClassifier(model, allow_tiny=True).fit(ACTIVES, [1] * len(ACTIVES))
    like, unlike = classifier.decision_function([LIKE_ACTIVES, LIKE_INACTIVES])
    assert 1 >= like > unlike >= 0
    with pytest.raises(SupportError, match="no probabilities"):
        classifier.predict_proba([LIKE_ACTIVES])


def test_inactives_alone_are_refused_always(model: Path) -> None:
    with pytest.raises(SupportError):
        FewShotClassifier(model, allow_tiny=True).fit(INACTIVES, [0] * len(INACTIVES))


def test_a_single_text_is_refused_as_a_list_of_letters(classifier: FewShotClassifier) -> None:
    with pytest.raises(InputError, match="list"):
        classifier.predict_proba("CCO")


def test_an_unfitted_classifier_says_so(model: Path) -> None:
    with pytest.raises(NotFittedError):
        FewShotClassifier(model).predict_proba(QUERY)


def test_a_clone_has_the_settings_and_is_not_fitted(classifier: FewShotClassifier) -> None:
    copy = clone(classifier)
    assert copy.get_params() == classifier.get_params()
    assert not hasattr(copy, "target_")


def test_cross_validation_works_in_a_pipeline_and_alone(model: Path) -> None:
    for estimator in (
        FewShotClassifier(model),
        Pipeline([("classifier", FewShotClassifier(model))]),
    ):
        for scoring in ("accuracy", "roc_auc", "neg_brier_score"):
            scores = cross_val_score(
                estimator, list(SUPPORT), LABELS, scoring=scoring, cv=StratifiedKFold(2)
            )
            assert scores.shape == (2,)
            assert np.isfinite(scores).all()


def test_the_search_for_settings_can_ask_whether_the_memory_helps(model: Path) -> None:
    search = GridSearchCV(
        FewShotClassifier(model), {"memory": [True, False]}, scoring="roc_auc", cv=2
    )
    search.fit(list(SUPPORT), LABELS)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.predict_proba(QUERY).shape == (3, 2)


def test_a_pipeline_that_makes_frames_still_ends_in_a_classifier(model: Path) -> None:
    pandas = pytest.importorskip("pandas")
    pipeline = Pipeline([("same", FunctionTransformer()), ("fewshot", FewShotClassifier(model))])
    pipeline.set_output(transform="pandas")
    frame = pandas.DataFrame({"smiles": SUPPORT})
    alone = FewShotClassifier(model).fit(SUPPORT, LABELS)
    np.testing.assert_array_equal(
        pipeline.fit(frame, LABELS).predict_proba(frame), alone.predict_proba(SUPPORT)
    )


def test_frames_are_split_by_cross_validation_as_lists_are(model: Path) -> None:
    expected = cross_val_score(FewShotClassifier(model), list(SUPPORT), LABELS, cv=2)
    columns = {"compound": ["x"] * len(SUPPORT), "smiles": list(SUPPORT)}
    libraries = filter(importlib.util.find_spec, ("pandas", "polars"))
    frames = [importlib.import_module(library).DataFrame(columns) for library in libraries]
    for frame in (pa.table(columns), *frames):
        scores = cross_val_score(FewShotClassifier(model), frame, LABELS, cv=2)
        assert scores.tolist() == expected.tolist()


def test_a_library_is_ranked_with_all_that_is_said_of_it(classifier: FewShotClassifier) -> None:
    ranked = classifier.rank([*QUERY, "C1CC"])
    order = np.argsort(-classifier.decision_function(QUERY))
    assert list(ranked.places) == [*order.tolist(), 3]
    assert ranked.to_arrow()["reason"][-1].as_py().startswith("ring closure")


def test_values_are_ranked_highest_first(model: Path) -> None:
    ranked = FewShotRegressor(model).fit(SUPPORT, VALUES).rank(QUERY)
    values = ranked.to_arrow()["value"].to_pylist()
    assert values == sorted(values, reverse=True)


def test_a_pickled_classifier_predicts_the_same(classifier: FewShotClassifier) -> None:
    copy = pickle.loads(pickle.dumps(classifier))
    np.testing.assert_array_equal(copy.predict_proba(QUERY), classifier.predict_proba(QUERY))


def test_the_public_names_can_be_imported_and_no_others() -> None:
    for name in molmeta.__all__:
        assert getattr(molmeta, name) is not None
    assert set(molmeta.__all__) == set(dir(molmeta))
    with pytest.raises(AttributeError, match="nothing_like_it"):
        _ = molmeta.nothing_like_it


def test_importing_the_package_imports_none_of_its_dependencies() -> None:
    code = (
        "import sys, molmeta; print([m for m in ('torch', 'numpy', 'rdkit') if m in sys.modules])"
    )
    root = Path(molmeta.__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root)
    assert done.stdout.strip() == "[]", done.stderr


def test_values_come_with_their_deviation_and_interval(model: Path) -> None:
    regressor = FewShotRegressor(model).fit(SUPPORT, VALUES)
    values, deviations = regressor.predict(QUERY, return_std=True)
    interval = regressor.predict_interval(QUERY)
    np.testing.assert_array_equal(values, regressor.predict(QUERY))
    assert interval.shape == (3, 2)
    assert (interval[:, 0] < values).all()
    assert (values < interval[:, 1]).all()
    assert (deviations > 0).all()
    assert values[0] > values[1]


def test_numbers_with_relations_say_the_same_as_text(model: Path) -> None:
    as_text = FewShotRegressor(model).fit(SUPPORT, VALUES)
    numbers, relations = as_text.support_.values, as_text.support_.relations
    smiles = [molecule.smiles for molecule in as_text.support_.molecules]
    as_numbers = FewShotRegressor(model).fit(smiles, numbers, relations)
    np.testing.assert_array_equal(as_numbers.predict(QUERY), as_text.predict(QUERY))
    without = FewShotRegressor(model).fit(smiles, numbers)
    assert (without.predict(QUERY) != as_text.predict(QUERY)).all()
    molar = [10 ** (9 - value) for value in numbers]
    in_nm = FewShotRegressor(model, unit="nM").fit(smiles, molar, relations)
    np.testing.assert_allclose(in_nm.predict(QUERY), as_text.predict(QUERY), atol=1e-5)


def test_a_molecule_without_a_value_is_nan_in_its_place(model: Path) -> None:
    regressor = FewShotRegressor(model).fit(SUPPORT, VALUES)
    with pytest.warns(UserWarning, match="1 of 2 molecules have no score"):
        values = regressor.predict(["C1CC", LIKE_ACTIVES])
    assert np.isnan(values).tolist() == [True, False]


def test_the_regressor_can_be_cloned_scored_and_cross_validated(model: Path) -> None:
    y = np.linspace(5, 8, len(SUPPORT))
    regressor = clone(FewShotRegressor(model, memory=False))
    assert regressor.get_params()["memory"] is False
    assert regressor.fit(SUPPORT, y).score(SUPPORT, y) > 0
    scores = cross_val_score(regressor, np.array(SUPPORT), y, cv=2)
    assert np.isfinite(scores).all()
    with pytest.raises(NotFittedError):
        clone(regressor).predict(QUERY)


def test_values_that_teach_nothing_are_refused(model: Path) -> None:
    with pytest.raises(SupportError, match="have the same value"):
        FewShotRegressor(model).fit(SUPPORT, [5.0] * len(SUPPORT))


def test_compounds_are_explained_in_order_by_class_and_by_value(
    classifier: FewShotClassifier, model: Path
) -> None:
    for fitted in (classifier, FewShotRegressor(model).fit(SUPPORT, VALUES)):
        first, broken = fitted.explain([LIKE_ACTIVES, "C1CC"])
        assert first.total == pytest.approx(first.scored.merit, abs=1e-5)
        assert first.atoms is not None
        assert broken.method is None
        assert fitted.explain([LIKE_ACTIVES], atoms=False)[0].atoms is None
