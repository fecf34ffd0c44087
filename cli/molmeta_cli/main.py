"""The `molmeta` command: finds the subcommand, and turns every way to end into an exit code.

Exit codes: 0 done, 2 a flag or setting, 3 an input file, 4 the support set, 5 the model, 6 the
output, 7 done but rows failed under --strict, 128 + n stopped by signal n (130 Ctrl-C, 143 SIGTERM,
141 the reader of a pipe went away).
"""

from __future__ import annotations

import difflib
import importlib
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final, NoReturn

import click

from molmeta import __version__
from molmeta.errors import (
    CheckpointError,
    ConfigError,
    InputError,
    MolmetaError,
    OutputError,
    SupportError,
)

COMMANDS: Final[dict[str, str]] = {
    "predict": "Score compounds for a target from a few measured ones.",
    "index": "Read a library once, to rank it for any target in seconds.",
    "check": "Say whether to trust the model on your own measured compounds.",
    "explain": "Show what a compound's score is made of.",
    "suggest": "Choose the compounds of a library to measure next.",
    "report": "Show the predictions and all behind them on one page.",
    "serve": "Do all this on a page in the browser, without a shell.",
    "adapt": "Keep the model of a target in a file, for predict --model.",
    "score": "Answer a molecule generator with the scores of its SMILES.",
    "train": "Meta-train a learner over many assays.",
    "tune": "Search the settings of a learner.",
    "benchmark": "Measure models and baselines by a published protocol.",
    "leaks": "Show which molecules and assays folds share, or a model has seen.",
}
"""Name -> one line of help; the code is `command` in the module of that name."""

EXIT_CODES: Final[dict[type[MolmetaError], int]] = {
    ConfigError: 2,
    InputError: 3,
    SupportError: 4,
    CheckpointError: 5,
    OutputError: 6,
}


class LazyGroup(click.Group):
    """Subcommands whose modules are imported when they are called, so that --help is instant."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The subcommand, imported now."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"molmeta_cli.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The subcommand that was named; for a misspelt one, the name that is near."""
        near = difflib.get_close_matches(args[0], COMMANDS, n=1)
        if args[0] not in COMMANDS and near and not ctx.resilient_parsing:
            ctx.fail(f"There is no command {args[0]!r}; did you mean {near[0]!r}?")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in --help, from the table and without any import."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        """Run the subcommand; whatever ends it becomes a sentence on stderr and an exit code."""
        with exit_codes(ctx):
            return super().invoke(ctx)


@contextmanager
def exit_codes(ctx: click.Context) -> Iterator[None]:
    """Turn what ends a command before its time into a sentence on stderr and an exit code."""
    previous = signal.signal(signal.SIGTERM, _stop)
    try:
        yield
    except MolmetaError as error:
        click.echo(f"Error: {error}", err=True)
        ctx.exit(next(code for kind, code in EXIT_CODES.items() if isinstance(error, kind)))
    except KeyboardInterrupt:
        click.echo("Stopped.", err=True)
        ctx.exit(128 + signal.SIGINT)
    except BrokenPipeError:
        # What is still buffered would fail again when Python closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        ctx.exit(141)
    finally:
        signal.signal(signal.SIGTERM, previous)


@click.command(
    "molmeta",
    cls=LazyGroup,
    context_settings={"max_content_width": 100},
    epilog="Each command has its own help: molmeta predict --help",
)
@click.version_option(__version__, prog_name="molmeta", message="%(prog)s %(version)s")
def main() -> None:
    """Few-shot activity prediction from 8 to 64 measured compounds."""


def _stop(signum: int, frame: FrameType | None) -> NoReturn:
    # An exception, so that files being written are cleaned away on its way up.
    raise SystemExit(128 + signum)


if __name__ == "__main__":
    main()
