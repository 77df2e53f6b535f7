"""POST requests of a page: decisions, and jobs to start or stop."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from cryopick_ray.page.endpoints import PostAnswer, post_endpoint
from cryopick_ray.page.page_actions import PageActions
from cryopick_ray.page.page_cut import PageCut
from cryopick_ray.page.page_errors import UnknownError
from cryopick_ray.page.page_session import PageSession
from cryopick_ray.page.preview import TrialSettings
from cryopick_ray.passes.decisions import Action, Decision

Place = Annotated[int, Field(ge=0)]
Number = Annotated[float, Field(allow_inf_nan=False)]
MOST_MICROGRAPHS = 1_000_000


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Row(_Body):
    action: Action
    x_px: Number = 0.0
    y_px: Number = 0.0
    radius_px: Number = 0.0


class _Decisions(_Body):
    micrograph: Place
    rows: list[_Row]


class _Exclude(_Body):
    micrographs: list[Place] = Field(max_length=MOST_MICROGRAPHS)
    exclude: bool


class _Nothing(_Body):
    pass


class _Class(_Body):
    number: int
    keep: bool


class _Stop(_Body):
    job: str


class _CutBody(_Body):
    threshold: Number | None = None
    smallest_A: Number | None = None
    largest_A: Number | None = None

    @property
    def cut(self) -> PageCut:
        return PageCut(self.threshold, self.smallest_A, self.largest_A)


class _Apply(_CutBody):
    what: Literal["apply"]


class _Export(_CutBody):
    what: Literal["export"]
    format: str = "star"


class _Trial(_Body):
    diameter_A: Number | None = None
    model: str | None = None
    threshold: Number | None = None


class _Preview(_Body):
    what: Literal["preview"]
    micrographs: list[Place]
    settings: list[_Trial]


class _Teach(_Body):
    what: Literal["teach"]
    micrographs: list[Place]


_Start = _Apply | _Export | _Preview | _Teach
_START: TypeAdapter[_Start] = TypeAdapter(Annotated[_Start, Field(discriminator="what")])


def post_routes(session: PageSession, actions: PageActions) -> list[Route]:
    """Return the routes of POST requests."""

    def decisions(body: bytes) -> Response:
        request = _Decisions.model_validate_json(body)
        rows = [Decision("", row.action, row.x_px, row.y_px, row.radius_px) for row in request.rows]
        session.decide(request.micrograph, rows)
        return Response(session.candidates(0, request.micrograph), media_type="application/octet-stream")

    def exclude(body: bytes) -> Response:
        request = _Exclude.model_validate_json(body)
        session.exclude(request.micrographs, exclude=request.exclude)
        return JSONResponse({"generation": session.generation})

    def undo(body: bytes) -> Response:
        _Nothing.model_validate_json(body or b"{}")
        return JSONResponse({"micrographs": session.undo()})

    def classes(body: bytes) -> Response:
        request = _Class.model_validate_json(body)
        session.classes().keep(request.number, keep=request.keep)
        return JSONResponse({"classes": session.classes().listed()})

    def start(body: bytes) -> Response:
        return JSONResponse({"job": _started(actions, _START.validate_json(body))})

    def stop(body: bytes) -> Response:
        request = _Stop.model_validate_json(body)
        if not actions.jobs.stop(request.job):
            raise UnknownError(f"there is no job {request.job[:20]!r}")
        return JSONResponse({"job": request.job})

    answers: dict[str, PostAnswer] = {
        "/api/decisions": decisions,
        "/api/exclude": exclude,
        "/api/undo": undo,
        "/api/classes": classes,
        "/api/start": start,
        "/api/stop": stop,
    }
    return [Route(path, post_endpoint(answer), methods=["POST"]) for path, answer in answers.items()]


def _started(actions: PageActions, request: _Start) -> str:
    match request:
        case _Apply():
            return actions.apply(request.cut)
        case _Export():
            return actions.export(request.format, request.cut)
        case _Teach():
            return actions.teach(request.micrographs)
        case _Preview():
            trials = [
                TrialSettings(setting.diameter_A, setting.model, setting.threshold)
                for setting in request.settings
            ]
            return actions.preview(request.micrographs, trials)
