"""What the tests of the server ask for, again and again."""

import time
from dataclasses import dataclass
from typing import Any

from tests.tiny_model import LABELS, LIKE_ACTIVES, LIKE_INACTIVES, SUPPORT, UNLIKE_ALL, VALUES

SUPPORT_CSV = "smiles,label\n" + "".join(
    f"{smiles},{label}\n" for smiles, label in zip(SUPPORT, LABELS, strict=True)
)
VALUES_CSV = "name,smiles,IC50\n" + "".join(
    f"c{i},{smiles},{value}\n"
    for i, (smiles, value) in enumerate(zip(SUPPORT, VALUES, strict=True))
)
LIBRARY_CSV = (
    "name,smiles\n"
    f"like inactives,{LIKE_INACTIVES}\n"
    f"like actives,{LIKE_ACTIVES}\n"
    "broken,C1CC\n"
    f"unlike all,{UNLIKE_ALL}\n"
    f"measured,{SUPPORT[0]}\n"
)


@dataclass
class Asker:
    """A client of the API."""

    client: Any

    def send(self, kind: str, content: str | bytes, **choices: str) -> Any:
        """The answer to a table; `kind` is support or library."""
        return self.client.post(f"/api/{kind}", params=choices, content=content)

    def start(self, support: str = SUPPORT_CSV, library: str = LIBRARY_CSV, **choices: str) -> str:
        """The name of a run."""
        read = self.send("support", support, **choices).json()
        assert read["problem"] == ""
        wanted = {
            "support": read["support"],
            "library": self.send("library", library).json()["library"],
        }
        return str(self.client.post("/api/runs", json=wanted).json()["run"])

    def finished(self, run: str) -> dict[str, Any]:
        """The state of a run at its end."""
        until = time.monotonic() + 60
        while (state := self.client.get(f"/api/runs/{run}").json())["state"] not in (
            *("done", "failed"),
        ):
            assert time.monotonic() < until
            time.sleep(0.02)
        return dict(state)
