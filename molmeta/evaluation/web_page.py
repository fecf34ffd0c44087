"""A page that needs nothing beside itself: its template filled in, what is a user's escaped."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import Any

from molmeta.errors import ConfigError


def ask_for_page_libraries() -> None:
    """Ask for what draws and fills a page, before there is any work to lose.

    Raises:
        ConfigError: matplotlib or Jinja is not installed.
    """
    try:
        import jinja2  # noqa: F401
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ConfigError("A report needs more: pip install 'molmeta[report]'.") from error


def render(template: str, filters: Mapping[str, Callable[..., str]], **values: Any) -> str:
    """The page of a template, which may include other files of the package.

    Args:
        template: its path within the package.
        filters: of its own, beside `counted`, `figure` and `signed`.
        values: what it is filled with. Names of methods, compounds and columns are a user's:
            whatever is not a drawing of ours (Markup) is escaped.
    """
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    environment = Environment(
        loader=FunctionLoader(
            lambda name: files("molmeta").joinpath(name).read_text(encoding="utf-8")
        ),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"counted": _counted, "figure": _figure, "signed": signed, **filters}
    return environment.get_template(template).render(values)


def _counted(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def _figure(value: float, digits: int = 3) -> str:
    return "–" if math.isnan(value) else f"{value:.{digits}f}".replace("-", "−")


def signed(value: float, digits: int = 3) -> str:
    """A difference as a page writes it: with its sign, and a dash where it is not defined."""
    return "–" if math.isnan(value) else f"{value:+.{digits}f}".replace("-", "−")
