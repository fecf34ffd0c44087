"""The application around the tiny learner, asked without a network."""

from collections.abc import Iterator

import pytest

import molmeta.evaluation.check
from tests.server.asking import Asker
from tests.tiny_model import tiny_checkpoint


@pytest.fixture(autouse=True)
def _small_forests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(molmeta.evaluation.check, "TREES", 5)


@pytest.fixture
def ask() -> Iterator[Asker]:
    pytest.importorskip("fastapi")
    pytest.importorskip("httpx2")
    from fastapi.testclient import TestClient

    from molmeta.server.app import create_app
    from molmeta.server.uploads import Limits

    limits = Limits(support_bytes=20_000, library_bytes=40_000, library_rows=500)
    app = create_app(tiny_checkpoint(), limits=limits)
    with TestClient(app, base_url="http://localhost") as client:
        yield Asker(client)
