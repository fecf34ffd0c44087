"""Other sites cannot ask, and pages of ours load nothing from elsewhere."""

import pytest

from tests.server.asking import SUPPORT_CSV, Asker


@pytest.mark.parametrize(
    ("host", "code"),
    [
        *(("localhost:8765", 200), ("127.0.0.1:8765", 200), ("[::1]:8765", 200)),
        *(("192.168.1.7", 200), ("LOCALHOST", 200)),
        *(("evil.example", 403), ("localhost.evil.example", 403), ("", 403), ("[x", 403)),
        ("127.0.0.1.evil.example", 403),
    ],
)
def test_names_that_others_can_bind_are_refused(ask: Asker, host: str, code: int) -> None:
    answer = ask.client.get("/api/about", headers={"host": host})
    assert answer.status_code == code
    assert answer.json()


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"origin": "http://localhost"}, 200),
        ({"sec-fetch-site": "same-origin"}, 200),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "http://localhost:3000"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
    ],
)
def test_other_sites_cannot_send(ask: Asker, headers: dict[str, str], code: int) -> None:
    answer = ask.client.post("/api/support", content=SUPPORT_CSV, headers=headers)
    assert answer.status_code == code


def test_a_link_from_elsewhere_leads_to_the_page_alone(ask: Asker) -> None:
    headers = {"sec-fetch-site": "cross-site"}
    assert ask.client.get("/", headers=headers).status_code == 200
    assert ask.client.get("/api/drawing?smiles=C", headers=headers).status_code == 403


def test_every_answer_is_guarded(ask: Asker) -> None:
    refused = {"origin": "null"}
    for path, headers in (("/", {}), ("/page.js", {}), ("/api/about", {}), ("/api/about", refused)):
        answer = ask.client.get(path, headers=headers)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
