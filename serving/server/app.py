"""The addresses of the server: /translate, /health, /metrics, and /docs, which FastAPI writes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from transformers import PreTrainedTokenizerBase

from vaswani.serving.hypotheses import Hypothesis, Search, text_of

from .metrics import Metrics, Watched
from .queue import Queue, QueueFullError

MAX_BEAMS = 16
"""A text of most tokens under most beams is the largest batch there can be, so both need a limit."""
MAX_BODY = 1 << 20
"""Bytes of a request. Whoever reads what is sent, however long, has no bound on its memory."""
CLIENT_GONE = 499
"""Status of a request whose client has left, in metrics alone; the number is that of nginx."""


@dataclass(frozen=True)
class Settings:
    """What a server grants."""

    name: str
    """Of the model, as answers give it."""
    beams: int
    """Of requests that name none."""
    tokens_per_batch: int
    """Most source tokens in a batch, padding counted, times beams."""
    max_tokens: int
    """Of one text, with its end symbol."""
    max_texts: int
    """In one request."""
    max_waiting: int
    """Sentences that wait."""


class Loaded(NamedTuple):
    """A model that is ready."""

    search: Search
    tokenizer: PreTrainedTokenizerBase
    longest_symbol: int
    """Characters of the longest one, so that a text can be seen to be too long without encoding it."""


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
    """A translation with its score: log P under the length penalty; 0 is certain, and less is less likely."""

    text: str
    score: float


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


def build_app(settings: Settings, load: Callable[[], Loaded], failed: Callable[[Exception], None]) -> FastAPI:
    """Return the application.

    Args:
        settings: what it grants.
        load: returns the model; it is called by the thread that will run it, while the server answers already.
        failed: is told why the model could not be loaded.

    """
    metrics = Metrics()
    queue = Queue(settings.tokens_per_batch, settings.max_waiting, metrics)
    ready: list[Loaded] = []

    async def work(worker: ThreadPoolExecutor) -> None:
        try:
            ready.append(await asyncio.get_running_loop().run_in_executor(worker, load))
        except Exception as error:
            failed(error)
        else:
            await queue.run(ready[0].search, worker)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        with ThreadPoolExecutor(1, thread_name_prefix="model") as worker:
            working = asyncio.create_task(work(worker))
            yield  # uvicorn goes on when the last request is answered
            working.cancel()

    app = FastAPI(
        title="vaswani", summary=f"Translations by {settings.name}", lifespan=lifespan, max_body_size=MAX_BODY
    )
    app.add_middleware(Watched, metrics=metrics, path="/translate")

    @app.exception_handler(RequestValidationError)
    async def unprocessable(_: Request, error: RequestValidationError) -> JSONResponse:
        # Without the input, which FastAPI would send back: it may be large, or no text that JSON can hold.
        return JSONResponse({"detail": [{"loc": e["loc"], "msg": e["msg"]} for e in error.errors()]}, 422)

    @app.post("/translate", responses={413: {}, 503: {}})
    async def translate(asked: Asked, request: Request) -> Answer:
        """Translate a text, or several."""
        if not ready:
            raise HTTPException(503, f"{settings.name} is being loaded; try again", {"Retry-After": "1"})
        texts = [asked.text] if isinstance(asked.text, str) else asked.text
        num_beams = asked.num_beams or settings.beams
        check_counts(len(texts), num_beams, asked.n_best, settings)
        full = [place for place, text in enumerate(texts) if text.strip()]
        sources = await asyncio.to_thread(
            encode, ready[0], {place: texts[place] for place in full}, settings.max_tokens
        )
        try:
            found = await unless_gone(request, queue.translate(sources, num_beams, asked.n_best))
        except QueueFullError as error:
            raise HTTPException(503, f"{error}; try again", {"Retry-After": str(error.retry_after)}) from None
        except ClientGoneError:
            raise HTTPException(CLIENT_GONE, "the client has left") from None
        translations = [Translation(text="", score=0.0, alternatives=[])] * len(texts)
        for place, hypotheses in zip(full, found, strict=True):
            translations[place] = in_words(ready[0].tokenizer, hypotheses)
        return Answer(model=settings.name, translations=translations)

    @app.get("/health", responses={503: {"model": Health}})
    async def health(response: Response) -> Health:
        """Tell whether the model is ready: 200, or 503 while it is being loaded."""
        response.status_code = 200 if ready else 503
        return Health(status="ready" if ready else "loading", model=settings.name)

    @app.get("/metrics", response_class=Response)
    async def prometheus() -> Response:
        """Return figures in Prometheus' text format."""
        return Response(metrics.text(), media_type=CONTENT_TYPE_LATEST)

    return app


def check_counts(texts: int, num_beams: int, n_best: int, settings: Settings) -> None:
    """Refuse what is too many."""
    if n_best > num_beams:
        raise HTTPException(422, f"n_best is {n_best}, and {num_beams} beams find {num_beams}; raise num_beams")
    if texts > settings.max_texts:
        raise HTTPException(413, f"{texts} texts; a request may have {settings.max_texts}: send several requests")


def encode(loaded: Loaded, texts: dict[int, str], max_tokens: int) -> list[list[int]]:
    """Return token ids, each row closed by the end symbol, and refuse what is too long.

    One by one, and nothing that cannot fit: encoding takes a hundred times the memory of the text.

    Args:
        loaded: has the tokenizer.
        texts: by their places in the request.
        max_tokens: of a text.

    """
    way_out, most = "split it into sentences", max_tokens * loaded.longest_symbol
    sources: list[list[int]] = []
    for place, text in texts.items():
        if len(text) > most:
            raise HTTPException(
                413, f"text {place + 1} has {len(text)} characters, and {max_tokens} tokens hold {most}: {way_out}"
            )
        sources.append(loaded.tokenizer(text).input_ids)
        if len(sources[-1]) > max_tokens:
            raise HTTPException(
                413, f"text {place + 1} has {len(sources[-1])} tokens, and {max_tokens} are allowed: {way_out}"
            )
    return sources


def in_words(tokenizer: PreTrainedTokenizerBase, hypotheses: list[Hypothesis]) -> Translation:
    """Return the hypotheses of one text, best first, as its translation and the alternatives."""
    best, *others = [Scored(text=text_of(tokenizer, each), score=each.score) for each in hypotheses]
    return Translation(text=best.text, score=best.score, alternatives=others)


class ClientGoneError(Exception):
    """Nobody waits for the answer any more."""


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
