"""The addresses of the server: /translate, /health, /metrics, and /docs, which FastAPI writes."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exception_handlers import http_exception_handler
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException as StarletteHTTPException

from vaswani.data.blank_text import is_blank
from vaswani.data.containers import HEAD, recognise
from vaswani.translation.hypotheses import BatchSearch, BeamSettings, Hypothesis, Tokenizer

from .admission import Admission
from .hosts import ANY, KnownHosts
from .queue import Queue, QueueFullError
from .statistics import ServerStatistics, Watched

MAX_BEAMS = 16
"""A text with the most tokens and the most beams is the largest possible batch, so both need a limit."""
SPARE_REQUESTS = 64
"""In addition to one for each sentence that may wait: requests that are being read, refused or answered."""
CLIENT_GONE = 499
"""Status of a request whose client has left, used only in metrics; the number is nginx's."""


@dataclass(frozen=True)
class ServerSettings:
    """The settings and limits of a server."""

    name: str
    """Of the model, as answers give it."""
    beams: int
    """For requests that name none."""
    length_penalty: float
    """alpha, for all requests."""
    tokens_per_batch: int
    """Most source tokens in a batch, padding counted, times beams."""
    max_texts: int
    """In one request."""
    max_waiting: int
    """Sentences that wait."""
    hosts: frozenset[str] = frozenset({ANY})
    """Names by which the server may be asked, as of `KnownHosts`."""


class Loaded(NamedTuple):
    """A model that is ready."""

    search: Callable[[BeamSettings], BatchSearch]
    tokenizer: Tokenizer
    longest_symbol: int
    """Characters of the longest token, to recognise without encoding that a text is too long."""
    max_tokens: int
    """Of one text, with its end token."""


class Working(NamedTuple):
    """What answers requests."""

    loaded: Loaded
    queue: Queue
    tokenizing: ThreadPoolExecutor


def in_unicode(text: str) -> str:
    """Return the text, unless it holds half of a surrogate pair, which JSON can write and no text can hold."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"character {error.start + 1} is half of a surrogate pair; send whole characters") from None
    return text


Text = Annotated[str, AfterValidator(in_unicode)]


class Asked(BaseModel):
    """The body of POST /translate."""

    model_config = ConfigDict(extra="forbid")

    text: Text | list[Text] = Field(description="a sentence or paragraph, or several", examples=["A dog runs."])
    num_beams: Annotated[int, Field(ge=1, le=MAX_BEAMS, description="1 is greedy; default: the server's")] | None = None
    n_best: Annotated[int, Field(ge=1, le=MAX_BEAMS, description="how many translations of each text")] = 1


class Scored(BaseModel):
    """A translation with its score: log P over the length penalty, 0 is certain; greedy search has none."""

    text: str
    score: float | None


class Translation(Scored):
    """The best translation of a text, and the next best that were asked for."""

    alternatives: list[Scored]


class Answer(BaseModel):
    """The answer of POST /translate: a translation for each text, in their order."""

    model: str
    translations: list[Translation]


class Health(BaseModel):
    """The answer of GET /health."""

    status: str
    model: str


def build_app(settings: ServerSettings, load: Callable[[], Loaded], failed: Callable[[Exception], None]) -> FastAPI:
    """Return the application.

    Args:
        settings: its settings and limits.
        load: returns the model; the thread that will run the model calls it, while the server already answers.
        failed: called with the reason if the model cannot be loaded.

    """
    metrics = ServerStatistics()
    queue = Queue(settings.tokens_per_batch, settings.max_waiting, metrics)
    ready: list[Loaded] = []
    tokenizing = ThreadPoolExecutor(1, thread_name_prefix="tokenizer")

    async def work(worker: ThreadPoolExecutor) -> None:
        try:
            ready.append(await asyncio.get_running_loop().run_in_executor(worker, load))
        except Exception as error:
            failed(error)
        else:
            await queue.run(ready[0].search, worker)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        with ThreadPoolExecutor(1, thread_name_prefix="model") as worker, tokenizing:
            working = asyncio.create_task(work(worker))
            yield  # uvicorn continues when the last request is answered
            working.cancel()

    app = FastAPI(title="vaswani", summary=f"Translations by {settings.name}", lifespan=lifespan)
    app.add_middleware(Admission, path="/translate", most=settings.max_waiting + SPARE_REQUESTS)
    app.add_middleware(Watched, metrics=metrics, path="/translate")
    app.add_middleware(KnownHosts, names=settings.hosts)  # the last one added is asked first

    app.exception_handler(RequestValidationError)(unprocessable)
    app.exception_handler(StarletteHTTPException)(refused)

    @app.post("/translate", responses={400: {}, 408: {}, 413: {}, 503: {}})
    async def translate(asked: Asked, request: Request) -> Answer:
        """Translate a text, or several."""
        if not ready:
            raise HTTPException(503, f"{settings.name} is being loaded; try again", {"Retry-After": "1"})
        return await answer(asked, request, settings, Working(ready[0], queue, tokenizing))

    @app.head("/health", include_in_schema=False)
    @app.get("/health", responses={503: {"model": Health}})
    async def health(response: Response) -> Health:
        """Report whether the model is ready: 200, or 503 while it is being loaded."""
        response.status_code = 200 if ready else 503
        return Health(status="ready" if ready else "loading", model=settings.name)

    @app.get("/metrics", response_class=Response)
    async def prometheus() -> Response:
        """Return figures in Prometheus' text format."""
        return Response(metrics.text(), media_type=CONTENT_TYPE_LATEST)

    return app


async def answer(asked: Asked, request: Request, settings: ServerSettings, working: Working) -> Answer:
    """Return the translations that a request asks for.

    Raises:
        HTTPException: it asks for too much, the queue is full, or the client has left.

    """
    texts = [asked.text] if isinstance(asked.text, str) else asked.text
    num_beams = asked.num_beams or settings.beams
    check_counts(len(texts), num_beams, asked.n_best, settings)
    full = {place: text for place, text in enumerate(texts) if not is_blank(text)}
    loop = asyncio.get_running_loop()
    sources = await loop.run_in_executor(working.tokenizing, encode, working.loaded, full)
    beams = BeamSettings(num_beams, settings.length_penalty, asked.n_best)
    try:
        found = await unless_gone(request, working.queue.translate(sources, beams))
    except QueueFullError as error:
        raise HTTPException(503, f"{error}; try again", {"Retry-After": str(error.retry_after)}) from None
    except ClientGoneError:
        raise HTTPException(CLIENT_GONE, "the client has left") from None
    translations = [Translation(text="", score=None, alternatives=[])] * len(texts)
    for place, hypotheses in zip(full, found, strict=True):
        translations[place] = in_words(hypotheses)
    return Answer(model=settings.name, translations=translations)


async def unprocessable(request: Request, error: RequestValidationError) -> JSONResponse:
    """Tell what of a request does not fit.

    Without the input, which FastAPI would send back: it may be large, or no text that JSON can hold.
    """
    detail = [{"loc": e["loc"], "msg": e["msg"]} for e in error.errors()]
    kind = request.headers.get("content-type", "none")
    if not re.fullmatch(r"application/(\w+\+)?json\b.*", kind) and error.errors()[0]["type"] != "missing":
        detail.append({"loc": ["header", "content-type"], "msg": f"is {kind}; send application/json: curl --json"})
    return JSONResponse({"detail": detail}, 422)


async def refused(request: Request, error: StarletteHTTPException) -> Response:
    """Tell why a request is refused; of a body that is no text FastAPI tells nothing."""
    cause = error.__cause__
    if isinstance(cause, UnicodeDecodeError):
        byte = f"byte {cause.start + 1} of the body, 0x{cause.object[cause.start]:02x}"
        kind = recognise(cause.object[:HEAD])
        what = f" (it holds {kind.name})" if kind else ""
        return JSONResponse({"detail": f"{byte}, is not UTF-8{what}; send JSON in UTF-8"}, 400)
    return await http_exception_handler(request, error)


def check_counts(texts: int, num_beams: int, n_best: int, settings: ServerSettings) -> None:
    """Refuse too many texts or translations."""
    if n_best > num_beams:
        raise HTTPException(422, f"n_best is {n_best}, but {num_beams} beams find only {num_beams}; raise num_beams")
    if texts > settings.max_texts:
        raise HTTPException(413, f"{texts} texts; a request may have {settings.max_texts}: send several requests")


def encode(loaded: Loaded, texts: dict[int, str]) -> list[list[int]]:
    """Return token ids, each row with its end token, and refuse texts that are too long.

    Texts are encoded one by one, and only if they can fit: encoding takes a hundred times the memory of the text.

    Args:
        loaded: has the tokenizer and the limit.
        texts: by their places in the request.

    """
    way_out, most = "split it into sentences", loaded.max_tokens * loaded.longest_symbol
    sources: list[list[int]] = []
    for place, text in texts.items():
        if len(text) > most:
            raise HTTPException(
                413,
                f"text {place + 1} has {len(text)} characters, and {loaded.max_tokens} tokens hold {most}: {way_out}",
            )
        sources.append(loaded.tokenizer(text).input_ids)
        if len(sources[-1]) > loaded.max_tokens:
            raise HTTPException(
                413, f"text {place + 1} has {len(sources[-1])} tokens, and {loaded.max_tokens} are allowed: {way_out}"
            )
    return sources


def in_words(hypotheses: list[Hypothesis]) -> Translation:
    """Return the hypotheses of one text, best first, as its translation and the alternatives."""
    best, *others = [Scored(text=each.text, score=each.score) for each in hypotheses]
    return Translation(text=best.text, score=best.score, alternatives=others)


class ClientGoneError(Exception):
    """The client no longer waits for the answer."""


async def unless_gone(request: Request, work: Awaitable[Any]) -> Any:
    """Return what `work` returns, or cancel it as soon as the client has left.

    Raises:
        ClientGoneError: it has.

    """

    async def left() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    working, leaving = asyncio.ensure_future(work), asyncio.create_task(left())
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientGoneError
        return working.result()
    finally:
        leaving.cancel()
        working.cancel()
