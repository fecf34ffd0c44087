"""Who may ask, and what a page of ours may load: nothing from elsewhere, nobody from elsewhere.

A page on another site can make a browser send requests to this computer. What it cannot do is
choose the headers `Origin`, `Sec-Fetch-Site` and, short of rebinding the name of its own server to
this computer, `Host`.
"""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_HEADERS: Final = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    # Structures are nobody else's, and a browser's cache is a file.
    "cache-control": "no-store",
}
"""Of every answer that does not set its own."""


class Guard:
    """Turns away requests that another site could have caused, and guards the answers.

    Args:
        app: what answers the others.
        names: of this server, beside `localhost` and any IP address, to which no foreign name
            can be bound again.
    """

    def __init__(self, app: ASGIApp, names: Collection[str] = ()) -> None:
        self._app = app
        self._names = {"localhost", *(name.lower() for name in names)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        reason = self._reason_against(Headers(scope=scope), scope["path"])
        app = JSONResponse({"detail": reason}, 403) if reason else self._app
        await app(scope, receive, guarded)

    def _reason_against(self, headers: Headers, path: str) -> str:
        host = headers.get("host", "")
        if not self._is_ours(host):
            return "This page answers to localhost and to IP addresses, not to the name used here."
        origin = headers.get("origin")
        if origin is not None and origin not in (f"http://{host}", f"https://{host}"):
            return "Only the page itself may ask this, no other site."
        # A link from elsewhere may lead to the page, and to nothing else.
        if path != "/" and headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
            return "Only the page itself may ask this, no other site."
        return ""

    def _is_ours(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:  # brackets that hold no address
            return False
        if name in self._names:
            return True
        try:
            ip_address(name)
        except ValueError:
            return False
        return True
