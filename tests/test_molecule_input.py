"""What estimators that take molecules share: a warning for those rejected, and tags."""

import warnings

import pytest
from sklearn.utils import get_tags

from molmeta.chem.intake import read_smiles
from molmeta.chem.status import Rejection
from molmeta.embedding import MoleculeEmbedding
from molmeta.molecule_input import warn_of_rejected
from molmeta.predictor import FewShotClassifier, FewShotRegressor


def test_one_warning_counts_the_rejected_by_kind_and_names_the_first() -> None:
    failed = {row: read_smiles(text) for row, text in ((4, "C1CC"), (2, ""), (7, "CC)"))}
    rejections = {row: found for row, found in failed.items() if isinstance(found, Rejection)}
    assert len(rejections) == 3
    with pytest.warns(UserWarning, match="have no score") as told:
        warn_of_rejected(rejections, 9, "score")
    (warning,) = told
    said = str(warning.message)
    assert said.startswith("3 of 9 molecules have no score and are NaN (2 parse_error, 1 empty)")
    assert f"row 2, counted from 0: {rejections[2].reason}" in said


def test_nothing_rejected_is_nothing_said() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_rejected({}, 9, "score")


@pytest.mark.parametrize("kind", [FewShotClassifier, FewShotRegressor, MoleculeEmbedding])
def test_estimators_say_that_they_take_one_column_of_text(kind: type) -> None:
    tags = get_tags(kind()).input_tags
    assert (tags.string, tags.one_d_array, tags.two_d_array) == (True, True, False)
