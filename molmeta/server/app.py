"""The web application: a static page, and the JSON API that it uses.

POST   /api/support                       a table of measured compounds -> what was read
POST   /api/library                       a table of compounds to rank -> what was read
POST   /api/runs                          both -> a run
GET    /api/runs/{run}                    its progress and the verdict; DELETE stops it
GET    /api/runs/{run}/compounds          the ranking, in pages
GET    /api/runs/{run}/compounds/{row}    the explanation of one compound
GET    /api/runs/{run}/table.{format}     the ranking as CSV or SDF
GET    /api/drawing                       a structure as SVG
"""

# No `from __future__ import annotations`: FastAPI reads the annotations of nested functions.

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from anyio.to_thread import current_default_thread_limiter
from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, StreamingResponse
from fastapi.staticfiles import StaticFiles

from molmeta import __version__
from molmeta.assays.label_column import Side
from molmeta.assays.measured_support import MeasuredSupport
from molmeta.assays.support import SupportSet
from molmeta.checkpoint import Checkpoint
from molmeta.chem.intake import MAX_TEXT_LENGTH
from molmeta.errors import ConfigError, MolmetaError
from molmeta.explanation.explain import explain
from molmeta.server.downloads import FORMATS, written
from molmeta.server.drawing import drawn
from molmeta.server.guard import Guard
from molmeta.server.messages import (
    About,
    Belief,
    Compound,
    Compounds,
    LibraryRead,
    Problem,
    RunState,
    RunWanted,
    SupportRead,
)
from molmeta.server.reading import Choices, ReadAs, read_measured, without_flags
from molmeta.server.runs import Order, Run, Show, View, Workers
from molmeta.server.shelf import GoneError, Shelf
from molmeta.server.uploads import (
    LOOKED_AT,
    Library,
    Limits,
    TooLargeError,
    read_library,
    too_large,
    unpacked,
)
from molmeta.target import TargetModel

PAGE: Final = Path(__file__).parent / "page"

ROOM: Final = 8
"""Tables of each kind, and runs, that are kept."""

THREADS: Final = 4
"""Requests that compute at the same time."""

_CODES: Final[dict[type[MolmetaError], int]] = {GoneError: 404, TooLargeError: 413}
_REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    code: {"model": Problem} for code in (404, 413, 422)
}
_TABLE: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "description": "The file as it is: CSV, TSV, SMI or SDF, plain or packed (gzip, zstd).",
        "content": {"application/octet-stream": {"schema": {"type": "string"}}},
    }
}
Name = Annotated[str, Query(max_length=200, description="Of the file; its ending tells the format")]
Column = Annotated[str | None, Query(max_length=1_000, description="An exact header")]


def create_app(
    checkpoint: Checkpoint,
    *,
    limits: Limits | None = None,
    names: Collection[str] = (),
    is_private: bool = True,
) -> FastAPI:
    """The application around a meta-trained learner.

    Args:
        checkpoint: of the learner.
        limits: what it takes.
        names: of this server, beside `localhost` and IP addresses.
        is_private: whether only this computer can reach it, which the page tells.
    """
    limits = limits or Limits()
    supports: Shelf[SupportSet | MeasuredSupport] = Shelf(ROOM)
    libraries: Shelf[Library] = Shelf(ROOM)
    runs: Shelf[Run] = Shelf(ROOM, dropped=Run.stop)
    workers = Workers(checkpoint)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        current_default_thread_limiter().total_tokens = THREADS
        yield
        runs.clear()
        workers.close()

    app = FastAPI(
        title="molmeta",
        version=__version__,
        summary="Rank compounds for a new target from a few measured ones.",
        lifespan=lifespan,
        # Their pages load scripts from elsewhere; the document itself is /openapi.json.
        docs_url=None,
        redoc_url=None,
        responses=_REFUSALS,
    )
    app.add_middleware(Guard, names=names)
    app.add_exception_handler(MolmetaError, _refused)
    app.add_exception_handler(RequestValidationError, _not_understood)

    @app.get("/api/about")
    def about() -> About:
        """The server and what it takes."""
        return About(
            version=__version__,
            model_sha256=checkpoint.sha256,
            has_memory=checkpoint.learner.memory is not None,
            is_private=is_private,
            limits=limits,
        )

    @app.post("/api/support", openapi_extra=_TABLE)
    def support(
        content: Annotated[bytes, Depends(_body(limits.support_bytes))],
        name: Name = "table",
        smiles_column: Column = None,
        label_column: Column = None,
        read_as: ReadAs | None = None,
        threshold: Annotated[str | None, Query(max_length=100)] = None,
        active: Side | None = None,
    ) -> SupportRead:
        """Read a table of measured compounds; what is not said is found or proposed."""
        plain = unpacked(content, name, limits.support_bytes)
        choices = Choices(smiles_column, label_column, read_as, threshold, active)
        reading = read_measured(plain, name, choices)
        kept = None if reading.support is None else supports.put(reading.support)
        return SupportRead.of(reading, kept)

    @app.post("/api/library", openapi_extra=_TABLE)
    def library(
        content: Annotated[bytes, Depends(_body(limits.library_bytes))],
        name: Name = "table",
        smiles_column: Column = None,
    ) -> LibraryRead:
        """Read a table of compounds to rank."""
        plain = unpacked(content, name, limits.library_bytes)
        found = read_library(plain, name, smiles_column, most_rows=limits.library_rows)
        return LibraryRead.of(found, libraries.put(found), LOOKED_AT)

    @app.post("/api/runs", status_code=202)
    def start(wanted: RunWanted) -> RunState:
        """Start to adapt the model, rank the library, and check the model."""
        run = Run(supports.get(wanted.support), libraries.get(wanted.library))
        name = runs.put(run)
        workers.start(run, memory=wanted.memory)
        return RunState.of(run, name, None)

    @app.get("/api/runs/{run}")
    def state(run: str) -> RunState:
        """How far it has come, and the verdict at its end."""
        found = runs.get(run)
        belief = None if found.believed is None else Belief.of(found.believed)
        return RunState.of(found, run, belief)

    @app.delete("/api/runs/{run}", status_code=204)
    def stop(run: str) -> None:
        """Stop it and forget what it found."""
        runs.drop(run)

    @app.get("/api/runs/{run}/compounds")
    def compounds(
        run: str,
        view: Annotated[View, Depends(_view)],
        offset: Annotated[int, Query(ge=0)] = 0,
        limit: Annotated[int, Query(ge=0, le=500)] = 50,
    ) -> Compounds:
        """Rows of the ranking."""
        found, _ = _ranked(runs.get(run))
        places = found.places(view)
        page = places[offset : offset + limit]
        return Compounds(
            n_shown=len(places), compounds=[Compound.of(found, place) for place in page]
        )

    @app.get("/api/runs/{run}/compounds/{row}")
    def explanation(run: str, row: int) -> dict[str, Any]:
        """What the score of a row is made of: base, support compounds, atoms."""
        found, target = _ranked(runs.get(run))
        if not 1 <= row <= len(found.scored):
            raise GoneError(f"The library has no row {row}.")
        explained = explain(target, [found.library.rows[row - 1].smiles])[0]
        return {"row": row, **explained.document()}

    @app.get(
        "/api/runs/{run}/table.{format}",
        response_class=StreamingResponse,
        responses={200: {"content": {kind: {} for kind in FORMATS.values()}}},
    )
    def table(
        run: str,
        format: Literal["csv", "sdf"],
        view: Annotated[View, Depends(_view)],
        escape_formulas: Annotated[
            bool, Query(description="Put ' before cells that a spreadsheet would run, in CSV")
        ] = True,
    ) -> StreamingResponse:
        """The rows of a view, all of their cells, with what the model said of them."""
        found, _ = _ranked(runs.get(run))
        rows: Iterator[tuple[str, ...]] = map(found.cells, found.places(view))
        place = found.library.columns.index(found.library.smiles_column)
        return StreamingResponse(
            written(found.header, rows, format, place, escape_formulas=escape_formulas),
            media_type=FORMATS[format],
            headers={"content-disposition": f'attachment; filename="molmeta-ranking.{format}"'},
        )

    @app.get("/api/drawing", response_class=Response, responses={200: {"content": _SVG}})
    def drawing(
        smiles: Annotated[str, Query(max_length=MAX_TEXT_LENGTH)],
        shares: Annotated[
            str, Query(max_length=20_000, description="Of each atom: numbers with commas between")
        ] = "",
    ) -> Response:
        """A structure, its atoms coloured where their shares in the score are given."""
        # The drawing is a document of its own, with styles in it and nothing to run.
        policy = {"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'"}
        return Response(drawn(smiles, shares), media_type="image/svg+xml", headers=policy)

    app.mount("/", StaticFiles(directory=PAGE, html=True))
    return app


_SVG: Final[dict[str, Any]] = {"image/svg+xml": {"schema": {"type": "string"}}}


def _body(limit: int) -> Callable[[Request], Awaitable[bytes]]:
    """What reads a body of at most `limit` bytes."""

    async def read(request: Request) -> bytes:
        chunks, size = [], 0
        async for chunk in request.stream():
            size += len(chunk)
            if size > limit:
                raise too_large("The table", limit)
            chunks.append(chunk)
        return b"".join(chunks)

    return read


def _view(
    show: Show = "scored",
    order: Order = "rank",
    contains: Annotated[str, Query(max_length=200, description="In any cell of a row")] = "",
) -> View:
    return View(show, order, contains)


def _ranked(run: Run) -> tuple[Run, TargetModel]:
    if run.target is None or not run.is_ranked:
        raise ConfigError("The compounds are not ranked yet: ask for the run until they are.")
    return run, run.target


async def _refused(request: Request, error: Exception) -> JSONResponse:
    code = next((code for kind, code in _CODES.items() if isinstance(error, kind)), 422)
    return JSONResponse({"detail": without_flags(str(error))}, code)


async def _not_understood(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    told = "; ".join(f"{one['loc'][-1]}: {one['msg']}" for one in error.errors())
    return JSONResponse({"detail": told}, 422)
