"""DeepKernel against scikit-learn's Gaussian process on the same kernel."""

import math

import numpy as np
import pytest
import torch
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, DotProduct

from molmeta.chem.batch import MoleculeBatch
from molmeta.chem.features import featurize
from molmeta.chem.intake import Molecule, read_smiles
from molmeta.encoders.config import EncoderConfig
from molmeta.errors import ConfigError
from molmeta.learners.base import Embedded
from molmeta.learners.deepkernel import DeepKernel, DeepKernelConfig
from molmeta.learners.memory import CompoundMemory
from molmeta.learners.value_scale import ValueScale

TINY = EncoderConfig(graph_width=8, graph_layers=1, hidden=16, dim=8)
LABELS = torch.tensor([1.0, 0.0] * 6)


def _embedded(learner: DeepKernel, batch: MoleculeBatch, start: int, end: int) -> Embedded:
    with torch.no_grad():
        return learner.embed(batch.gather(torch.arange(start, end)))


def test_the_posterior_equals_scikit_learns(batch: MoleculeBatch) -> None:
    learner = DeepKernel(TINY, DeepKernelConfig(linear=0.5, rbf=0.7, tanimoto=0.0, noise=0.2))
    learner.eval()
    support, query = _embedded(learner, batch, 0, 12), _embedded(learner, batch, 12, 40)
    with torch.no_grad():
        learner.settings["unlike"][0] = -30.0
        prediction = learner.fit_head(support, LABELS)(query)

    kernel = ConstantKernel(0.5) * DotProduct(1e-9) + ConstantKernel(0.7) * RBF(0.7)
    process = GaussianProcessRegressor(kernel, alpha=0.2, optimizer=None)
    # A balanced support: the prior mean is 0.
    process.fit(support.vectors.numpy(), (2 * LABELS - 1).numpy())
    mean, deviation = process.predict(query.vectors.numpy(), return_std=True)
    slope = 2.0 / np.sqrt(1 + 0.5 * deviation**2)
    np.testing.assert_allclose(prediction.logit, slope * mean, atol=1e-5)
    np.testing.assert_allclose(prediction.deviation, slope * deviation, atol=1e-5)


def test_more_of_one_class_moves_every_score_its_way(batch: MoleculeBatch) -> None:
    learner = DeepKernel(TINY, DeepKernelConfig()).eval()
    support, query = _embedded(learner, batch, 0, 12), _embedded(learner, batch, 12, 40)
    few, many = LABELS.clone(), torch.ones(12)
    many[0] = 0.0
    with torch.no_grad():
        low = learner.fit_head(support, few)(query).logit
        high = learner.fit_head(support, many)(query).logit
    assert high.mean() > low.mean()


def test_a_weight_of_zero_leaves_its_kernel_out(batch: MoleculeBatch) -> None:
    learner = DeepKernel(TINY, DeepKernelConfig(linear=0.0, rbf=0.0, tanimoto=0.5))
    support = _embedded(learner, batch, 0, 12)
    strangers = Embedded(torch.zeros(12, 8, dtype=torch.float64), support.molecules)
    now = learner.settings_for(support, learner.settings, 0.75)
    with torch.no_grad():
        torch.testing.assert_close(
            learner.kernel(support, support, now, None),
            learner.kernel(support, strangers, now, None),
        )
    assert not {"linear", "rbf"} & set(learner.settings)


def test_a_molecule_unlike_the_support_is_less_active(batch: MoleculeBatch) -> None:
    learner = DeepKernel(TINY, DeepKernelConfig()).eval()
    support, query = _embedded(learner, batch, 0, 12), _embedded(learner, batch, 12, 40)
    with torch.no_grad():
        process = learner.fit_head(support, LABELS).process
        learner.settings["unlike"][0] = -30.0
        plain = learner.fit_head(support, LABELS).process
        mean, variance = process.moments(query)
        left = []
        for place in range(12):
            # What the others leave open of each compound does not depend on the labels.
            others = torch.arange(12) != place
            kernel = learner.kernel(support, support, process.now, None)
            noisy = kernel[others][:, others] + process.noise * torch.eye(11)
            cross = kernel[others, place]
            left.append(kernel[place, place] - cross @ torch.linalg.solve(noisy, cross))
        usual = torch.stack(left).sqrt().mean()
        torch.testing.assert_close(
            mean - plain.moments(query)[0], -process.now["unlike"] * (variance.sqrt() - usual)
        )


@pytest.mark.parametrize(
    "settings", [{"rbf": -1.0}, {"linear": 0.0, "rbf": 0.0, "tanimoto": 0.0}, {"noise": 0.0}]
)
def test_settings_that_make_no_kernel_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        DeepKernelConfig(**settings)


def test_the_posterior_of_values_equals_scikit_learns(batch: MoleculeBatch) -> None:
    learner = DeepKernel(TINY, DeepKernelConfig(linear=0.5, rbf=0.7, tanimoto=0.0, noise=0.2))
    learner.eval()
    support, query = _embedded(learner, batch, 0, 12), _embedded(learner, batch, 12, 40)
    values = torch.linspace(4, 9, 12).sin() + 6
    with torch.no_grad():
        level = learner.value_settings["level"][0].exp().item()
        learner.value_settings["composition"][0] = -30.0
        head = learner.fit_value_head(support, values, torch.zeros(12, dtype=torch.int8))
        prediction = head(query)
        noise, width = head.process.noise.item(), 1.7
        scale = head.process.level.item() / level
        learner.value_settings["width"][0] = math.log(width)
        wider = learner.fit_value_head(support, values, torch.zeros(12, dtype=torch.int8))(query)

    kernel = ConstantKernel(0.5) * DotProduct(1e-9) + ConstantKernel(0.7) * RBF(0.7)
    kernel = ConstantKernel(scale) * (kernel + ConstantKernel(level))
    process = GaussianProcessRegressor(kernel, alpha=noise, optimizer=None)
    unit = ValueScale.of(values)
    process.fit(support.vectors.numpy(), unit.shrink(values).numpy())
    expected, spread = process.predict(query.vectors.numpy(), return_std=True)
    restored = unit.restored(*map(torch.from_numpy, (expected, spread**2 + noise)))
    np.testing.assert_allclose(prediction.mean, restored.mean, atol=1e-5)
    np.testing.assert_allclose(prediction.deviation, restored.deviation, atol=1e-5)
    np.testing.assert_allclose(wider.deviation, width**0.5 * restored.deviation, atol=1e-5)
    assert torch.equal(wider.mean, prediction.mean)


def test_settings_of_values_and_of_classes_are_apart(batch: MoleculeBatch) -> None:
    learner = DeepKernel(TINY, DeepKernelConfig()).eval()
    support, query = _embedded(learner, batch, 0, 12), _embedded(learner, batch, 12, 40)
    values, measured = LABELS + torch.arange(12) / 12, torch.zeros(12, dtype=torch.int8)

    def answers() -> tuple[torch.Tensor, torch.Tensor]:
        with torch.no_grad():
            value_head = learner.fit_value_head(support, values, measured)
            return learner.fit_head(support, LABELS)(query).logit, value_head(query).mean

    logits, means = answers()
    with torch.no_grad():
        learner.value_settings["noise"] += 1.0
    assert torch.equal(answers()[0], logits)
    assert not torch.equal(answers()[1], means)


def test_values_that_follow_the_composition_are_predicted_by_it(batch: MoleculeBatch) -> None:
    learner = DeepKernel(TINY, DeepKernelConfig()).eval()
    support, query = _embedded(learner, batch, 0, 60), _embedded(learner, batch, 60, 120)
    carbons = batch.descriptors[:, 0].float()
    measured = torch.zeros(60, dtype=torch.int8)

    def error() -> float:
        with torch.no_grad():
            answer = learner.fit_value_head(support, carbons[:60], measured)(query).mean
        return (answer - carbons[60:120]).square().mean().item()

    with_it = error()
    with torch.no_grad():
        learner.value_settings["composition"][0] = -30.0
    assert with_it < 0.7 * error()


def test_what_a_memory_knows_from_elsewhere_counts_a_quarter_for_classes_and_half_for_values(
    batch: MoleculeBatch,
) -> None:
    molecules = batch.gather(torch.arange(12))
    n = len(molecules)
    torch.manual_seed(0)
    learner = DeepKernel(TINY, DeepKernelConfig(resemblance=0.8)).eval()
    relations = torch.zeros(n, dtype=torch.int8)
    # Each compound measured by an assay of its own, and all by one.
    for assays, classes, values in ((torch.arange(n), 0.25, 0.5), (torch.zeros(n), 1.0, 1.0)):
        learner.memory = CompoundMemory(
            keys=molecules.keys.sort().values,
            offsets=torch.arange(n + 1),
            assays=assays.int(),
            grades=torch.full((n,), 0.5).half(),
            heights=torch.full((n,), 0.5).half(),
        )
        with torch.no_grad():
            support = learner.embed(molecules)
            head = learner.fit_head(support, LABELS)
            assert float(head.process.now["resemblance"]) == pytest.approx(0.8 * classes)
            of_values = learner.fit_value_head(support, torch.linspace(4, 9, n), relations)
            assert float(of_values.process.now["resemblance"]) == pytest.approx(0.8 * values)


def test_compounds_with_little_in_common_are_compared_by_composition(drugs: MoleculeBatch) -> None:
    learner = DeepKernel(TINY, DeepKernelConfig()).eval()
    series = [read_smiles("O=C(Nc1ccccc1)" + "C" * n) for n in range(2, 10)]
    analogues = featurize([m for m in series if isinstance(m, Molecule)])
    assert len(analogues) == 8
    weights = [
        learner.settings_for(learner.embed(molecules), learner.value_settings, 0.5)["composition"]
        for molecules in (analogues, drugs.gather(torch.arange(8)))
    ]
    assert weights[1] > 3 * weights[0]
