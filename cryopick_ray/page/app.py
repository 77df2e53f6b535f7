"""The page's addresses: what is asked over HTTP, and what answers."""

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
from cryopick_ray.page.answers import Answer, answered
from cryopick_ray.page.desk import Desk
from cryopick_ray.page.missing import NotReadyError
from cryopick_ray.page.posts import post_routes
from cryopick_ray.page.security import Guard, TooLargeError, too_large
from cryopick_ray.page.work import Work

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
"""Static files that are served, by suffix."""
BYTES = "application/octet-stream"
KEEP = {"cache-control": "private, max-age=3600"}
"""Pictures do not change while a page is served."""


def make_app(desk: Desk, work: Work, token: str) -> Guard:
    """Return the page as an ASGI application."""
    get: dict[str, Answer] = {
        "/api/about": lambda r: JSONResponse(desk.about() | {"commands": work.commands()}),
        "/api/micrographs": lambda r: _listing(desk, r),
        "/api/candidates/{source:int}/{i:int}": lambda r: _bytes(
            desk.candidates(_int(r, "source"), _int(r, "i"))
        ),
        "/api/truth/{i:int}": lambda r: _bytes(desk.true_places(_int(r, "i"))),
        "/api/histogram": lambda r: JSONResponse(_histogram(desk)),
        "/api/histogram.bin": lambda r: _histogram_bytes(desk),
        "/api/counts": lambda r: _bytes(_counts(desk, r)),
        "/api/thumbnail/{i:int}.jpg": lambda r: _jpeg(desk.thumbnail(_int(r, "i"))),
        "/api/picture/{i:int}.jpg": lambda r: _jpeg(desk.picture(_int(r, "i"))),
        "/api/pyramid/{i:int}": lambda r: JSONResponse(desk.pyramid(_int(r, "i"))),
        "/api/tile/{look:str}/{i:int}/{level:int}/{column:int}_{row:int}.jpg": lambda r: _jpeg(
            desk.tile(r.path_params["look"], *(_int(r, name) for name in ("i", "level", "column", "row")))
        ),
        "/api/mask/{i:int}.png": lambda r: _mask(desk, r),
        "/api/decisions/{i:int}": lambda r: JSONResponse({"rows": _rows(desk, _int(r, "i"))}),
        "/api/jobs": lambda r: JSONResponse(work.jobs.listed()),
        "/api/classes": lambda r: JSONResponse({"classes": desk.classes().listed()}),
        "/api/class/{number:int}.png": lambda r: Response(
            desk.classes().picture(_int(r, "number")), media_type="image/png", headers=KEEP
        ),
        "/api/calibration": lambda r: JSONResponse({"bins": desk.calibration()}),
    }
    routes = [
        Route(path, answered(answer, is_picture=path.endswith((".jpg", ".png"))))
        for path, answer in get.items()
    ]
    every = [*routes, *post_routes(desk, work), *_static_routes()]
    return Guard(Starlette(routes=every, exception_handlers={TooLargeError: too_large}), token)


def _static_routes() -> list[Route]:
    """Return a route for each file of the page; no other name leads anywhere."""
    routes, waiting = [], [("", files("cryopick_ray.page") / "static")]
    while waiting:
        above, folder = waiting.pop()
        for one in folder.iterdir():
            name = f"{above}{one.name}"
            suffix = "." + name.rpartition(".")[2]
            if one.is_dir():
                waiting.append((f"{name}/", one))
            elif suffix in KINDS:
                path = "/" if name == "index.html" else f"/static/{name}"
                routes.append(Route(path, _served(one, KINDS[suffix])))
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


def _rows(desk: Desk, place: int) -> list[dict[str, Any]]:
    rows = desk.judgement.rows_of(desk.micrograph(place).micrograph_id)
    return [
        {name: getattr(row, name) for name in ("action", "x_px", "y_px", "radius_px", "by", "at")}
        for row in rows
    ]


def _listing(desk: Desk, request: Request) -> Response:
    desk.refresh()
    if request.query_params.get("since") == str(desk.generation):
        return Response(status_code=204)
    content, headers = desk.listing(), {"vary": "accept-encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        content, headers["content-encoding"] = gzip.compress(content, 1), "gzip"
    return Response(content, media_type="application/json", headers=headers)


def _mask(desk: Desk, request: Request) -> Response:
    png, frame = desk.mask(_int(request, "i"))
    return Response(png, media_type="image/png", headers={**KEEP, "x-frame": json.dumps(frame)})


def _histogram(desk: Desk) -> dict[str, Any]:
    counted = desk.tally.counted
    if counted is None:
        return {"score_stops": [], "size_stops_A": None, "ready": False, "generation": 0}
    sizes = counted.histogram.size_stops_A
    return {
        "score_stops": counted.histogram.score_stops.tolist(),
        "size_stops_A": None if sizes is None else sizes.tolist(),
        "ready": True,
        "generation": counted.generation,
        "truth_total": counted.true_particles if desk.truth is not None else None,
    }


def _histogram_bytes(desk: Desk) -> Response:
    counted = desk.tally.counted
    if counted is None:
        raise NotReadyError
    parts = [counted.histogram.counts] + ([counted.histogram.true] if desk.truth is not None else [])
    content = b"".join(np.ascontiguousarray(part, "<u4").tobytes() for part in parts)
    return Response(content, media_type=BYTES, headers={"x-generation": str(counted.generation)})


def _counts(desk: Desk, request: Request) -> bytes:
    threshold = _number(request, "threshold")
    if threshold is None:
        raise UsageError("threshold is missing, expected a number")
    counts = desk.tally.counts(threshold, _number(request, "smallest_A"), _number(request, "largest_A"))
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
