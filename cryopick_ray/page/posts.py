"""What a page sends: decisions, and what is to be started."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from cryopick_ray.page.answers import PostAnswer, posted
from cryopick_ray.page.desk import Desk
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


def post_routes(desk: Desk) -> list[Route]:
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

    answers: dict[str, PostAnswer] = {
        "/api/decisions": decisions,
        "/api/exclude": exclude,
        "/api/undo": undo,
    }
    return [Route(path, posted(answer), methods=["POST"]) for path, answer in answers.items()]
