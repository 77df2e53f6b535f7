"""Answers over HTTP: made in a thread, errors told as JSON with what mends them."""

from collections.abc import Awaitable, Callable

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from cryopick_ray.errors import CryoPickError, UsageError, brief
from cryopick_ray.page.background_jobs import TooManyError
from cryopick_ray.page.missing import NotReadyError, UnknownError
from cryopick_ray.page.spelling import as_options

Answer = Callable[[Request], Response]
PostAnswer = Callable[[bytes], Response]
Endpoint = Callable[[Request], Awaitable[Response]]
PICTURES, OTHERS = CapacityLimiter(4), CapacityLimiter(8)
"""Answers that are made at once: each may hold some megabytes."""


def answered(answer: Answer, *, is_picture: bool = False) -> Endpoint:
    """Return an endpoint that answers a GET; pictures wait for each other, not others for them."""
    limiter = PICTURES if is_picture else OTHERS

    async def endpoint(request: Request) -> Response:
        return await run_sync(_told, lambda: answer(request), limiter=limiter)

    return endpoint


def posted(answer: PostAnswer) -> Endpoint:
    """Return an endpoint that answers a POST, given its body."""

    async def endpoint(request: Request) -> Response:
        body = await request.body()
        return await run_sync(_told, lambda: answer(body), limiter=OTHERS)

    return endpoint


def _told(answer: Callable[[], Response]) -> Response:
    try:
        return answer()
    except NotReadyError:
        return JSONResponse({"error": "still counting: ask again"}, 503, {"retry-after": "1"})
    except PermissionError as error:
        return _error(403, str(error))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the body"
        return _error(400, f"{where}: {first['msg']}")
    except TooManyError as error:
        return _error(409, str(error))
    except UsageError as error:
        return _error(400, str(error))
    except (UnknownError, CryoPickError) as error:
        return _error(404, str(error))
    except OSError as error:  # a full disk
        return _error(503, f"{brief(error)}: what was sent is not kept; try again")


def _error(status: int, text: str) -> JSONResponse:
    return JSONResponse({"error": as_options(text)}, status)
