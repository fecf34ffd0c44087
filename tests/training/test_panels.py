import pytest
import torch

from molmeta.assays.store import AssayStore
from molmeta.chem.batch import MoleculeBatch
from molmeta.training.panels import panel_weights
from tests.training.tiny import task


@pytest.fixture
def panel_of_three(drugs: MoleculeBatch) -> AssayStore:
    """Three assays of the same molecules, in three orders and once with a repeat; one of others."""
    rows = [[0, 1, 2, 3], [3, 2, 1, 0], [0, 0, 1, 2, 3], [0, 1, 2, 4]]
    tasks = [
        task(f"T{i}", torch.zeros(len(places)), torch.tensor(places))
        for i, places in enumerate(rows)
    ]
    return AssayStore(tuple(tasks), drugs, {}, "0" * 64)


@pytest.mark.parametrize(
    ("power", "expected"),
    [(0.0, [1, 1, 1, 1]), (1.0, [1 / 3, 1 / 3, 1 / 3, 1]), (0.5, [3**-0.5] * 3 + [1])],
)
def test_each_assay_of_a_panel_of_m_weighs_m_to_the_minus_power(panel_of_three, power, expected):
    weights = panel_weights(panel_of_three, power)
    torch.testing.assert_close(weights, torch.tensor(expected, dtype=torch.float64))


def test_at_power_one_a_panel_weighs_as_much_as_one_assay(panel_of_three):
    weights = panel_weights(panel_of_three, 1.0)
    assert float(weights[:3].sum()) == pytest.approx(float(weights[3]))
