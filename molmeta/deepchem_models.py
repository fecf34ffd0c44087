"""molmeta inside DeepChem: embeddings as features, and a model of one task that evaluates.

Importing this module imports DeepChem, which `molmeta[deepchem]` installs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem

from molmeta.assays.deepchem_datasets import labels_and_weights, quiet_deepchem
from molmeta.chem.intake import Molecule, read_smiles
from molmeta.embedding import MoleculeEmbedding
from molmeta.errors import InputError
from molmeta.predictor import FewShotClassifier, FewShotRegressor
from molmeta.target import TargetModel

# Its notices are kept from the terminal while it is imported.
with quiet_deepchem():
    from deepchem.data import NumpyDataset
    from deepchem.feat import MolecularFeaturizer
    from deepchem.models import Model
    from deepchem.trans import undo_transforms


class EmbeddingFeaturizer(MolecularFeaturizer):  # type: ignore[misc]
    """Molecules to the vectors of a meta-trained encoder, as MoleculeEmbedding gives them.

    A molecule that cannot be read gives an empty array, so that DeepChem's loaders leave its row
    out.

    Args:
        model: file of a meta-trained model; the shipped one if None.
        device: "auto", "cpu" or "cuda".
    """

    def __init__(self, model: str | Path | None = None, device: str = "auto") -> None:
        super().__init__()
        self.model = None if model is None else str(model)
        self.device = device
        self._embedding = MoleculeEmbedding(model, device=device).fit()

    def featurize(
        self, datapoints: Iterable[object], log_every_n: int = 1000, **unused: Any
    ) -> NDArray[Any]:
        """The embedding of each SMILES or RDKit molecule: [n, dim], or [n] objects if one failed.

        Args:
            datapoints: [n], or a single one.
            log_every_n: has no effect; DeepChem's loaders pass it.
            unused: likewise.
        """
        one = isinstance(datapoints, str | Chem.Mol)
        vectors = self._embedding.transform([datapoints] if one else list(datapoints))
        failed = np.isnan(vectors[:, 0])
        if not failed.any():
            return vectors
        features = np.empty(len(vectors), dtype=object)
        for i, vector in enumerate(vectors):
            features[i] = np.array([]) if failed[i] else vector
        return features


class FewShotModel(Model):  # type: ignore[misc]
    """A FewShotClassifier or FewShotRegressor as a DeepChem model of one task.

    Molecules are read from the ids of a dataset, as DeepChem's loaders make them of SMILES,
    whatever its features are. Labels that are missing (weight 0) teach nothing and, unlike in other
    models of DeepChem, do not count in `evaluate` either; nor do molecules without a prediction.

    Args:
        model: adapted by `fit`.
        task: which column of the labels; may be None where there is one only.
        model_dir: where `save` writes; a temporary folder if None.
    """

    def __init__(
        self,
        model: FewShotClassifier | FewShotRegressor,
        task: str | int | None = None,
        model_dir: str | None = None,
    ) -> None:
        super().__init__(model, model_dir)
        self.task = task

    def fit(self, dataset: Any) -> None:
        """Adapt to the molecules of a dataset that have a label.

        Raises:
            InputError: there is no such task, or several and none was named.
            SupportError: its labels cannot teach anything.
        """
        usable = self._usable(dataset)
        self.model.fit(usable.ids, usable.y[:, 0])

    def predict(self, dataset: Any, transformers: Sequence[Any] = ()) -> NDArray[np.float64]:
        """Probabilities [n, 1, 2] or values [n, 1] for the ids of a dataset; NaN for rejected ones.

        Args:
            dataset: of n molecules.
            transformers: those that the labels went through; they are undone.
        """
        predictions = self.predict_on_batch(dataset.ids)
        return np.asarray(undo_transforms(predictions, list(transformers)))

    def predict_on_batch(self, X: Iterable[object]) -> NDArray[np.float64]:
        """Probabilities [n, 1, 2] or values [n, 1] of molecules [n]."""
        if isinstance(self.model, FewShotClassifier):
            return self.model.predict_proba(X)[:, None]
        return np.asarray(self.model.predict(X))[:, None]

    def evaluate(self, dataset: Any, metrics: Any, *arguments: Any, **options: Any) -> Any:
        """What DeepChem's `Model.evaluate` gives, over the molecules with label and prediction.

        Args:
            dataset: of any tasks, of which the model's own is judged.
            metrics: one `deepchem.metrics.Metric` or several, or functions of scikit-learn.
            arguments: the further ones of `Model.evaluate`.
            options: likewise.
        """
        return super().evaluate(self._usable(dataset), metrics, *arguments, **options)

    def get_task_type(self) -> str:
        """`classification` or `regression`."""
        is_classifier = isinstance(self.model, FewShotClassifier)
        return "classification" if is_classifier else "regression"

    def get_num_tasks(self) -> int:
        """One."""
        return 1

    def save(self) -> None:
        """Write the adapted model to `model_dir`."""
        self.model.target_.save(self._file, overwrite=True)

    def reload(self) -> None:
        """Read the adapted model from `model_dir`, as `save` wrote it."""
        self.model.target_ = TargetModel.load(self._file, memory=self.model.memory)

    @property
    def _file(self) -> Path:
        return Path(self.model_dir) / "target.molmeta"

    def _usable(self, dataset: Any) -> Any:
        """The molecules that can be read and have a label, as a dataset of the task alone."""
        labels, weights = labels_and_weights(dataset)
        column = self._column([str(name) for name in dataset.get_task_names()])
        labels, weights = labels[:, [column]], weights[:, [column]]
        readable = [isinstance(read_smiles(text), Molecule) for text in dataset.ids]
        kept = np.isfinite(labels[:, 0]) & (weights[:, 0] != 0) & readable
        if not kept.any():
            raise InputError(
                f"None of the {len(dataset)} rows has a label and an id that is the SMILES of a "
                f"molecule; the first id is {str(dataset.ids[0])!r}."
            )
        return NumpyDataset(dataset.X[kept], labels[kept], weights[kept], dataset.ids[kept])

    def _column(self, names: Sequence[str]) -> int:
        """Where the labels of the task stand among tasks of these names."""
        if self.task is None and len(names) == 1:
            return 0
        if self.task is None or str(self.task) not in names:
            raise InputError(
                f"Say which task of the dataset is meant, task={names[0]!r} for one: it has "
                f"{', '.join(names[:20])}."
            )
        return names.index(str(self.task))
