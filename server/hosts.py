"""By which names a server may be asked: others come from pages of strangers that a browser was led to (DNS rebinding).

A stranger's page can give its own name this machine's address, and its script then reads what the server answers. But
the browser sends that name as the Host, and no stranger can give out an address as a name. So addresses, localhost and
the name of this machine are accepted, and further names only if they are given.
"""

import socket
from collections.abc import Collection, Sequence
from ipaddress import ip_address

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

ANY = "*"


class KnownHosts:
    """Answers 421 to a request for a Host that is no name of this server.

    Args:
        app: what is asked.
        names: in lower case; an address need not be among them, and `*` stands for any.

    """

    def __init__(self, app: ASGIApp, names: Collection[str]) -> None:
        self.app, self.names = app, names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            return await self.app(scope, receive, send)
        given = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        host = without_port(given[0]) if len(given) == 1 else ""
        if ANY in self.names or host in self.names or is_address(host):
            return await self.app(scope, receive, send)
        said = f"this server is not {host[:100]!r}; whoever runs it can allow that name by --allowed_hosts"
        return await JSONResponse({"detail": said}, 421)(scope, receive, send)


def known_names(bound: str, allowed: Sequence[str]) -> frozenset[str]:
    """Return the names of a server: localhost, this machine's, what it is bound to, and those that are allowed."""
    own = ("localhost", socket.gethostname(), bound, *allowed)
    return frozenset(name.lower().rstrip(".") for name in own)


def without_port(host: str) -> str:
    """Return the name or address of a Host, in lower case."""
    name = host[: host.index("]") + 1] if host.startswith("[") and "]" in host else host.partition(":")[0]
    return name.strip("[]").lower().rstrip(".")


def is_address(host: str) -> bool:
    """Return whether a Host is an address, of IP version 4 or 6."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
