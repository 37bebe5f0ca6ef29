"""Which requests are accepted: no more at a time than the server can hold, and none too large or too slow."""

import asyncio

from fastapi import HTTPException
from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY = 1 << 20
"""Most bytes of a request: without a limit, a request could fill the memory."""
BODY_SECONDS = 20.0
"""Most seconds for a whole body: without a limit, a slow client could hold its place forever."""


class Admission:
    """Refuses requests to `path` unread while `most` are in progress, and those whose body is too large or too slow."""

    def __init__(self, app: ASGIApp, path: str, most: int, body_seconds: float = BODY_SECONDS) -> None:
        self.app, self.path, self.most, self.body_seconds = app, path, most, body_seconds
        self.under_way = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it with 503."""
        if scope["type"] != "http" or scope["path"] != self.path:
            return await self.app(scope, receive, send)
        if self.under_way >= self.most:
            said = {"detail": f"{self.most} requests are in progress, and no more are accepted; try again"}
            refusal = JSONResponse(said, 503, {"Retry-After": "1", "Connection": "close"})
            return await refusal(scope, receive, send)
        self.under_way += 1
        try:
            return await self.app(scope, within_limits(receive, self.body_seconds), send)
        finally:
            self.under_way -= 1


class SmallBodies:
    """Refuses requests whose body is too large or too slow, to whatever path, before anything parses them."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, within limits."""
        await self.app(scope, within_limits(receive) if scope["type"] == "http" else receive, send)


def within_limits(receive: Receive, seconds: float = BODY_SECONDS) -> Receive:
    """Return `receive` with limits until the body is complete; after that it may wait until the client leaves."""
    deadline, size, whole = asyncio.get_running_loop().time() + seconds, 0, False

    async def receive_within_limits() -> Message:
        nonlocal size, whole
        try:
            async with asyncio.timeout_at(None if whole else deadline):
                message = await receive()
        except TimeoutError:
            raise HTTPException(408, f"the body did not arrive within {seconds:g} seconds; send it at once") from None
        size += len(message.get("body", b""))
        if size > MAX_BODY:
            raise HTTPException(413, f"the body has more than {MAX_BODY} bytes; send several requests")
        whole = whole or not message.get("more_body", False)
        return message

    return receive_within_limits
