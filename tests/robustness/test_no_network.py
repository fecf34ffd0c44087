"""The guard against calls to other machines, which every test is run under, itself."""

import socket

import pytest

from tests import conftest


@pytest.fixture
def calls() -> list[str]:
    """What the guard noted; emptied afterwards, as this test means to call."""
    return conftest.CALLS_ABROAD


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1"])
def test_a_connection_to_another_machine_is_refused_and_noted(host: str, calls: list[str]) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as sock, pytest.raises(OSError, match="have no network"):
        sock.connect((host, 80))
    with (
        socket.socket(family, socket.SOCK_DGRAM) as sock,
        pytest.raises(OSError, match="have no network"),
    ):
        sock.sendto(b"hello", (host, 53))
    assert calls == [f"socket.connect {host}", f"socket.sendto {host}"]
    calls.clear()


def test_a_name_elsewhere_is_not_looked_up(calls: list[str]) -> None:
    with pytest.raises(OSError, match="have no network"):
        socket.create_connection(("example.org", 443), timeout=1)
    assert calls == ["socket.getaddrinfo example.org"]
    calls.clear()


def test_this_machine_may_talk_to_itself() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname(), timeout=5).close()
    left, right = socket.socketpair()
    left.sendall(b"x")
    assert right.recv(1) == b"x"
    left.close()
    right.close()
