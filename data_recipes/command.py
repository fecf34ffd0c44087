"""What the commands of all recipes share: their options, their exit codes, what they print."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from molmeta_cli.main import exit_codes


class RecipeCommand(click.Command):
    """A command whose errors are sentences, with the exit codes of `molmeta`."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run it."""
        with exit_codes(ctx):
            return super().invoke(ctx)


def recipe_command(
    name: str, *, source: str, source_required: bool = False
) -> Callable[[Callable[..., None]], click.Command]:
    """Decorate a recipe's `main(out, source, overwrite, ...)` to be `python -m data_recipes.NAME`.

    Args:
        name: of the recipe.
        source: help of --source: what may be given.
        source_required: whether there is nothing to download.
    """

    def decorate(main: Callable[..., None]) -> click.Command:
        path = click.Path(path_type=Path)
        main = click.option("--overwrite", is_flag=True, help="Replace the store that is there.")(
            main
        )
        main = click.option("--source", type=path, required=source_required, help=source)(main)
        main = click.option("--out", type=path, required=True, help="Folder to make.")(main)
        command = click.command(
            f"python -m data_recipes.{name}",
            cls=RecipeCommand,
            context_settings={"max_content_width": 100},
        )
        return command(main)

    return decorate


def tell_store(out: Path) -> None:
    """Print what a recipe has made, from its dataset.json, as the last thing it does."""
    document = json.loads((out / "dataset.json").read_text(encoding="utf-8"))
    click.echo(f"{document['name']} ({document['licence']}) in {out}")
    for name, output in document["outputs"].items():
        click.echo(f"  {name}: {output['rows']:,} rows of {output['assays']:,} assays")
    for fate, counts in document["counts"].items():
        if fate != "kept":
            for reason, n in counts.items():
                click.echo(f"  {fate}: {n:,} {reason}")
