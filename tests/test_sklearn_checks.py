"""scikit-learn's own checks of estimators, its rows of numbers written as molecules for them."""

import zlib
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from numpy.testing import assert_allclose
from numpy.typing import ArrayLike
from sklearn.utils.estimator_checks import parametrize_with_checks

from molmeta import FewShotClassifier, FewShotRegressor, MoleculeEmbedding
from molmeta.checkpoint import save_checkpoint
from tests.tiny_model import tiny_checkpoint

pytest.importorskip("sklearn", "1.9", reason="older checks ask with labels 1 and 2 throughout")

SUBSTITUENTS: Final = (
    *("C(F)", "C(Cl)", "C(=O)N", "C(O)", "CS", "C(N)", "C(Br)", "C(I)", "C(C)", "C(=O)"),
    *("C=C", "C#C", "C(C#N)", "CNC", "COC", "C(OC)", "CSC", "C(CC)", "C(=O)O", "C(C(F)F)"),
)

EVERY_ESTIMATOR: Final = {
    "check_estimator_sparse_tag": "a sparse matrix is refused as a matrix, not by its name",
}
PREDICTORS: Final = {
    **EVERY_ESTIMATOR,
    "check_estimator_sparse_array": "likewise",
    "check_estimator_sparse_matrix": "likewise",
    "check_fit2d_1sample": "one compound is refused, in a chemist's words",
}
UNMET: Final[dict[str, dict[str, str]]] = {
    "FewShotClassifier": {
        **PREDICTORS,
        "check_classifiers_classes": "a label says active or inactive; 'one' and 'two' do not",
        "check_estimators_dtypes": "labels 1 and 2 are refused: which of them is active?",
        "check_classifier_data_not_an_array": "likewise",
        "check_fit2d_1feature": "likewise",
        "check_classifier_not_supporting_multiclass": "likewise, for labels 0, 1 and 2",
        "check_classifiers_one_label": "one class is refused, in a chemist's words",
    },
    "FewShotRegressor": PREDICTORS,
    "MoleculeEmbedding": {
        **EVERY_ESTIMATOR,
        "check_transformer_general": "text has no number of features that could change",
    },
}
"""scikit-learn's checks that an estimator does not pass, with the reason."""


def _molecule(row: ArrayLike) -> str:
    """A molecule for a row of numbers: like rows have like molecules, and no two the same one."""
    numbers = [round(float(number), 2) + 0.0 for number in np.ravel(row)]
    chain = "".join(
        SUBSTITUENTS[2 * place + (number > 0)] * min(3, round(abs(number)))
        for place, number in enumerate(numbers[:10])
    )
    code = zlib.crc32(repr(numbers).encode())
    return "C" + chain + "".join(f"{'CON'[code // 3**digit % 3]}C" for digit in range(10))


def _molecules(X: Any) -> Any:
    return X if hasattr(X, "tocsr") else [_molecule(row) for row in np.asarray(X)]


class _OfNumbers:
    """In front of an estimator of molecules: takes the arrays of numbers of the checks."""

    def fit(self, X: Any, y: Any = None, **options: Any) -> Any:
        return super().fit(_molecules(X), y, **options)  # type: ignore[misc]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()  # type: ignore[misc]
        tags.input_tags.two_d_array = True
        tags.input_tags.one_d_array = tags.input_tags.string = tags.input_tags.allow_nan = False
        return tags


class _Classifier(_OfNumbers, FewShotClassifier):
    def predict_proba(self, X: Any) -> Any:
        return super().predict_proba(_molecules(X))

    def decision_function(self, X: Any) -> Any:
        return super().decision_function(_molecules(X))


class _Regressor(_OfNumbers, FewShotRegressor):
    def predict(self, X: Any, return_std: bool = False) -> Any:
        return super().predict(_molecules(X), return_std)


class _Embedding(_OfNumbers, MoleculeEmbedding):
    def transform(self, X: Any) -> Any:
        return super().transform(_molecules(X))


# In the folder where the tests run; their names hold it, and must be those of every process.
_model = Path("tiny.molmeta")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the model lies."""
    folder = tmp_path_factory.mktemp("model")
    save_checkpoint(folder / _model, tiny_checkpoint())
    return folder


def _unmet(estimator: Any) -> dict[str, str]:
    return UNMET[type(estimator).__mro__[2].__name__]


@parametrize_with_checks(
    [_Classifier(_model), _Regressor(_model), _Embedding(_model)],
    expected_failed_checks=_unmet,
    xfail_strict=True,
)
@pytest.mark.filterwarnings("ignore:Can't test estimator")
def test_an_estimator_keeps_to_the_conventions(
    estimator: Any, check: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)

    # A score may change by 1e-6 with the batch it comes in; the checks look closer than that.
    def nearly(actual: Any, desired: Any, **how: Any) -> None:
        assert_allclose(actual, desired, **{**how, "rtol": 1e-5, "atol": 1e-5})

    for module in ("sklearn.utils.estimator_checks", "sklearn.utils._testing"):
        monkeypatch.setattr(f"{module}.assert_allclose", nearly)
    check(estimator)
