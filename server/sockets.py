"""An address to listen on, taken before any work is done."""

import errno
import socket


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; port 0 takes a free one.

    Raises:
        ValueError: the address does not belong to this machine, or the port is not available.

    """
    try:
        family, *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        remedy = (
            "choose another --port"
            if error.errno in (errno.EADDRINUSE, errno.EACCES)
            else "give a --host that this machine has, such as 127.0.0.1, or 0.0.0.0 for all"
        )
        raise ValueError(f"cannot listen on {address(host, port)} ({error.strerror}); {remedy}") from error


def address(host: str, port: int) -> str:
    """Return HOST:PORT as in a URL."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
