"""The page as an ASGI application: its routes and their answers."""

import gzip
import json
from collections.abc import Callable
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

import numpy as np
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from cryopick_ray.errors import UsageError
from cryopick_ray.page.endpoints import Answer, get_endpoint
from cryopick_ray.page.page_actions import PageActions
from cryopick_ray.page.page_errors import NotReadyError
from cryopick_ray.page.page_session import PageSession
from cryopick_ray.page.post_requests import post_routes
from cryopick_ray.page.security import Guard, TooLargeError, too_large

KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".woff2": "font/woff2",
    ".txt": "text/plain; charset=utf-8",
}
"""Media types of the static files that are served, by suffix."""
BYTES = "application/octet-stream"
KEEP = {"cache-control": "private, max-age=3600"}
"""Pictures do not change while a page is served."""


def make_app(session: PageSession, actions: PageActions, token: str) -> Guard:
    """Return the page as an ASGI application."""
    get: dict[str, Answer] = {
        "/api/about": lambda r: JSONResponse(session.about() | {"commands": actions.commands()}),
        "/api/micrographs": lambda r: _listing(session, r),
        "/api/candidates/{source:int}/{i:int}": lambda r: _bytes(
            session.candidates(_int(r, "source"), _int(r, "i"))
        ),
        "/api/truth/{i:int}": lambda r: _bytes(session.true_places(_int(r, "i"))),
        "/api/histogram": lambda r: JSONResponse(_histogram(session)),
        "/api/histogram.bin": lambda r: _histogram_bytes(session),
        "/api/counts": lambda r: _bytes(_counts(session, r)),
        "/api/thumbnail/{i:int}.jpg": lambda r: _jpeg(session.thumbnail(_int(r, "i"))),
        "/api/picture/{i:int}.jpg": lambda r: _jpeg(session.picture(_int(r, "i"))),
        "/api/pyramid/{i:int}": lambda r: JSONResponse(session.pyramid(_int(r, "i"))),
        "/api/tile/{look:str}/{i:int}/{level:int}/{column:int}_{row:int}.jpg": lambda r: _jpeg(
            session.tile(r.path_params["look"], *(_int(r, name) for name in ("i", "level", "column", "row")))
        ),
        "/api/mask/{i:int}.png": lambda r: _mask(session, r),
        "/api/decisions/{i:int}": lambda r: JSONResponse({"rows": _rows(session, _int(r, "i"))}),
        "/api/jobs": lambda r: JSONResponse(actions.jobs.listed()),
        "/api/classes": lambda r: JSONResponse({"classes": session.classes().listed()}),
        "/api/class/{number:int}.png": lambda r: Response(
            session.classes().picture(_int(r, "number")), media_type="image/png", headers=KEEP
        ),
        "/api/calibration": lambda r: JSONResponse({"bins": session.calibration()}),
    }
    routes = [
        Route(path, get_endpoint(answer, is_picture=path.endswith((".jpg", ".png"))))
        for path, answer in get.items()
    ]
    every = [*routes, *post_routes(session, actions), *_static_routes()]
    return Guard(Starlette(routes=every, exception_handlers={TooLargeError: too_large}), token)


def _static_routes() -> list[Route]:
    """Return a route for each static file; there are no other paths."""
    routes, waiting = [], [("", files("cryopick_ray.page") / "static")]
    while waiting:
        above, folder = waiting.pop()
        for entry in folder.iterdir():
            name = f"{above}{entry.name}"
            suffix = "." + name.rpartition(".")[2]
            if entry.is_dir():
                waiting.append((f"{name}/", entry))
            elif suffix in KINDS:
                path = "/" if name == "index.html" else f"/static/{name}"
                routes.append(Route(path, _served(entry, KINDS[suffix])))
    return routes


def _served(file: Traversable, kind: str) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        return Response(file.read_bytes(), media_type=kind)

    return endpoint


def _int(request: Request, name: str) -> int:
    return int(request.path_params[name])


def _bytes(content: bytes) -> Response:
    return Response(content, media_type=BYTES)


def _jpeg(content: bytes) -> Response:
    return Response(content, media_type="image/jpeg", headers=KEEP)


def _rows(session: PageSession, index: int) -> list[dict[str, Any]]:
    rows = session.decisions.rows_of(session.micrograph(index).micrograph_id)
    return [
        {name: getattr(row, name) for name in ("action", "x_px", "y_px", "radius_px", "by", "at")}
        for row in rows
    ]


def _listing(session: PageSession, request: Request) -> Response:
    session.refresh()
    if request.query_params.get("since") == str(session.generation):
        return Response(status_code=204)
    content, headers = session.listing(), {"vary": "accept-encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        content, headers["content-encoding"] = gzip.compress(content, 1), "gzip"
    return Response(content, media_type="application/json", headers=headers)


def _mask(session: PageSession, request: Request) -> Response:
    png, frame = session.mask(_int(request, "i"))
    return Response(png, media_type="image/png", headers={**KEEP, "x-frame": json.dumps(frame)})


def _histogram(session: PageSession) -> dict[str, Any]:
    counted = session.tally.counted
    if counted is None:
        return {"score_stops": [], "size_stops_A": None, "ready": False, "generation": 0}
    sizes = counted.histogram.size_stops_A
    return {
        "score_stops": counted.histogram.score_stops.tolist(),
        "size_stops_A": None if sizes is None else sizes.tolist(),
        "ready": True,
        "generation": counted.generation,
        "truth_total": counted.true_particles if session.truth is not None else None,
    }


def _histogram_bytes(session: PageSession) -> Response:
    counted = session.tally.counted
    if counted is None:
        raise NotReadyError
    parts = [counted.histogram.counts] + ([counted.histogram.true] if session.truth is not None else [])
    content = b"".join(np.ascontiguousarray(part, "<u4").tobytes() for part in parts)
    return Response(content, media_type=BYTES, headers={"x-generation": str(counted.generation)})


def _counts(session: PageSession, request: Request) -> bytes:
    threshold = _number(request, "threshold")
    if threshold is None:
        raise UsageError("threshold is missing, expected a number")
    counts = session.tally.counts(threshold, _number(request, "smallest_A"), _number(request, "largest_A"))
    if counts is None:
        raise NotReadyError
    return counts.astype("<u4").tobytes()


def _number(request: Request, name: str) -> float | None:
    text = request.query_params.get(name, "")
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if value != value:
        raise UsageError(f"{name} is {text[:40]!r}, expected a number")
    return value
