"""What a page sends: decisions, and what is to be started."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from cryopick_ray.page.answers import PostAnswer, posted
from cryopick_ray.page.cut import Cut
from cryopick_ray.page.desk import Desk
from cryopick_ray.page.missing import UnknownError
from cryopick_ray.page.preview import Trial
from cryopick_ray.page.work import Work
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
    def cut(self) -> Cut:
        return Cut(self.threshold, self.smallest_A, self.largest_A)


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


def post_routes(desk: Desk, work: Work) -> list[Route]:
    """Return the addresses that take what a page sends."""

    def decisions(body: bytes) -> Response:
        asked = _Decisions.model_validate_json(body)
        rows = [Decision("", row.action, row.x_px, row.y_px, row.radius_px) for row in asked.rows]
        desk.decide(asked.micrograph, rows)
        return Response(desk.candidates(0, asked.micrograph), media_type="application/octet-stream")

    def exclude(body: bytes) -> Response:
        asked = _Exclude.model_validate_json(body)
        desk.exclude(asked.micrographs, exclude=asked.exclude)
        return JSONResponse({"generation": desk.generation})

    def undo(body: bytes) -> Response:
        _Nothing.model_validate_json(body or b"{}")
        return JSONResponse({"micrographs": desk.undo()})

    def classes(body: bytes) -> Response:
        asked = _Class.model_validate_json(body)
        desk.classes().keep(asked.number, keep=asked.keep)
        return JSONResponse({"classes": desk.classes().listed()})

    def start(body: bytes) -> Response:
        return JSONResponse({"job": _started(work, _START.validate_json(body))})

    def stop(body: bytes) -> Response:
        asked = _Stop.model_validate_json(body)
        if not work.jobs.stop(asked.job):
            raise UnknownError(f"there is no job {asked.job[:20]!r}")
        return JSONResponse({"job": asked.job})

    answers: dict[str, PostAnswer] = {
        "/api/decisions": decisions,
        "/api/exclude": exclude,
        "/api/undo": undo,
        "/api/classes": classes,
        "/api/start": start,
        "/api/stop": stop,
    }
    return [Route(path, posted(answer), methods=["POST"]) for path, answer in answers.items()]


def _started(work: Work, asked: _Start) -> str:
    match asked:
        case _Apply():
            return work.apply(asked.cut)
        case _Export():
            return work.export(asked.format, asked.cut)
        case _Teach():
            return work.teach(asked.micrographs)
        case _Preview():
            trials = [
                Trial(setting.diameter_A, setting.model, setting.threshold) for setting in asked.settings
            ]
            return work.preview(asked.micrographs, trials)
