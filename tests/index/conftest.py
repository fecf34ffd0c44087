"""Parts small enough that a small library has several."""

import pytest


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("molmeta.index.building.ROWS", 16)
