"""`molmeta serve`: a page in the browser for those who do not use a shell."""

from __future__ import annotations

import socket
import webbrowser
from ipaddress import ip_address
from pathlib import Path

import click

from molmeta.errors import ConfigError
from molmeta_cli.adaptation import prepare_device
from molmeta_cli.console import tell
from molmeta_cli.flags import LEARNER_MODEL_FLAG, model_flags


@click.command(epilog="\b\nExample: molmeta serve --open")
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    metavar="ADDRESS",
    help="Where to listen; the default is reached from this computer alone.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=8_765,
    show_default=True,
    help="0 takes one that is free.",
)
@click.option(
    "--allow-network",
    is_flag=True,
    help="Let other computers use the page, which asks for no password.",
)
@click.option("--open", "open_page", is_flag=True, help="Show the page in the browser.")
@LEARNER_MODEL_FLAG
@model_flags
def command(
    host: str,
    port: int,
    allow_network: bool,
    open_page: bool,
    learner_model: Path | None,
    memory: bool,
    device: str,
    threads: int,
    quiet: bool,
) -> None:
    """Answer a browser with a page: drop tables in, get a ranking out.

    Everything stays in the memory of this computer: nothing is written to the disk, and nothing is
    loaded from elsewhere. What the page does, a program can do too: /openapi.json describes how.
    """
    is_private = _is_loopback(host)
    if not is_private and not allow_network:
        raise click.UsageError(
            f"--host {host} lets other computers use the page, which asks for no password: add "
            "--allow-network if that is meant."
        )
    try:
        import uvicorn
    except ImportError as error:
        raise ConfigError("The page needs more: pip install 'molmeta[serve]'.") from error
    chosen = prepare_device(device, threads)
    from molmeta.checkpoint import load_checkpoint, shipped_model_path
    from molmeta.server.app import create_app

    checkpoint = load_checkpoint(
        learner_model or shipped_model_path(), device=chosen, memory=memory
    )
    names = () if is_private else (host, socket.gethostname())
    with _bound(host, port) as listener:
        address = f"http://{_shown(host)}:{listener.getsockname()[1]}/"
        tell(f"molmeta is at {address} (Ctrl-C stops it)", quiet)
        if not is_private:
            tell("Warning: whoever reaches this computer over the network can use it.")
        app = create_app(checkpoint, names=names, is_private=is_private)
        config = uvicorn.Config(app, log_level="warning", access_log=False, server_header=False)
        if open_page:
            webbrowser.open(address)
        uvicorn.Server(config).run(sockets=[listener])


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _bound(host: str, port: int) -> socket.socket:
    """A socket of this address that listens: what is opened now finds the page."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise ConfigError(
            f"Nothing can listen at {host}, port {port} ({error.strerror}): is it in use? --port 0 "
            "takes one that is free."
        ) from error


def _shown(host: str) -> str:
    """The host as it stands in an address."""
    everywhere = {"0.0.0.0": "localhost", "::": "localhost"}
    return f"[{host}]" if ":" in host and host != "::" else everywhere.get(host, host)
