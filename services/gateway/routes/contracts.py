"""What is said on the bus, for those who want to take part: the schemas and the AsyncAPI document."""

from pathlib import Path
from typing import Final

from fastapi import APIRouter, Response
from fastapi.responses import FileResponse

import contracts
from contracts.catalogue import CATALOGUE
from services.gateway.routes.documented import told
from services.gateway.routes.models import Words
from services.gateway.routes.problems import Problem

_CONTRACTS: Final = Path(contracts.__file__).parent
routes = APIRouter(tags=["contracts"])


@routes.get(
    "/asyncapi.yaml",
    summary="The messages of the house as an AsyncAPI document",
    **told("get_asyncapi", content="application/yaml", problems=("schema_not_found",), tagged=True),
)
async def get_asyncapi() -> Response:
    return _file(_CONTRACTS / "asyncapi.yaml", "application/yaml")


@routes.get(
    "/schemas/{message_type}",
    summary="The JSON Schema of a message, such as media.media_stored.v1",
    **told("get_schema", content="application/schema+json", problems=("schema_not_found",), tagged=True),
)
async def get_schema(message_type: Words) -> Response:
    if message_type not in CATALOGUE:
        raise Problem(404, "schema_not_found", "There is no message of that type.")
    versions = (_CONTRACTS / "schemas" / message_type).glob("*.json")
    newest = max(versions, key=lambda path: (len(path.stem), path.stem), default=None)
    return _file(newest, "application/schema+json")


def _file(path: Path | None, media_type: str) -> Response:
    if path is None or not path.is_file():
        raise Problem(404, "schema_not_found", "It was not generated; run `make contracts`.")
    return FileResponse(path, media_type=media_type, headers={"Cache-Control": "no-cache"})
