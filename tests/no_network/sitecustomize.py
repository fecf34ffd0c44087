"""Refuses every name look-up, connection and datagram that leaves this machine, and notes it.

Python imports a module of this name when it starts: the tests put this folder on the path of every
process that they start, and of those that these start. An audit hook sees what any library does
through Python's sockets, in any thread.
"""

import os
import sys
from pathlib import Path
from typing import Any

NOTES = "MOLMETA_CALLS_ABROAD"
"""Variable that names the file of what was refused, a line each."""


def _stay_at_home(event: str, arguments: tuple[Any, ...]) -> None:
    if event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = arguments[0]
    elif event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        sock, address = arguments[:2]
        # A datagram socket that is connected has sent nothing yet: so one learns one's own address.
        is_silent = event == "socket.connect" and sock.type.name == "SOCK_DGRAM"
        host = address[0] if isinstance(address, tuple) and not is_silent else None
    else:
        return
    if not _is_at_home(host):
        if NOTES in os.environ:
            with Path(os.environ[NOTES]).open("a") as notes:
                notes.write(f"{event} {host}\n")
        raise OSError(f"the tests have no network: {event} {host}")


def _is_at_home(host: str | bytes | None) -> bool:
    """Whether `host` is this machine, under any of its addresses: one that can be bound to."""
    # Not at the top: most of the processes that are started have no use for it.
    import socket

    name = (host.decode() if isinstance(host, bytes) else host or "").partition("%")[0]
    if name in ("", "localhost", socket.gethostname()):
        return True
    family = socket.AF_INET6 if ":" in name else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            socket.inet_pton(family, name)  # a name would be looked up
            probe.bind((name, 0))
    except OSError:
        return False
    return True


sys.addaudithook(_stay_at_home)
