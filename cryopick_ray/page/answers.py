"""Answers over HTTP: made in a thread, errors told as JSON with what mends them."""

from collections.abc import Awaitable, Callable

from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from cryopick_ray.errors import CryoPickError, UsageError, brief, plain
from cryopick_ray.page.desk import NotReadyError, UnknownError

Answer = Callable[[Request], Response]
PostAnswer = Callable[[bytes], Response]
Endpoint = Callable[[Request], Awaitable[Response]]


def answered(answer: Answer) -> Endpoint:
    """Return an endpoint that answers a GET."""

    async def endpoint(request: Request) -> Response:
        return await run_in_threadpool(_told, lambda: answer(request))

    return endpoint


def posted(answer: PostAnswer) -> Endpoint:
    """Return an endpoint that answers a POST, given its body."""

    async def endpoint(request: Request) -> Response:
        body = await request.body()
        return await run_in_threadpool(_told, lambda: answer(body))

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
    except UsageError as error:
        return _error(400, str(error))
    except (UnknownError, CryoPickError) as error:
        return _error(404, str(error))
    except OSError as error:  # a full disk
        return _error(503, f"{brief(error)}: what was sent is not kept; try again")


def _error(status: int, text: str) -> JSONResponse:
    return JSONResponse({"error": plain(text)}, status)
