"""Serving the dashboard's files, where they are present, at every address that the API does not have."""

from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from starlette.responses import Response
from starlette.routing import Match, Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

_FILES: Final = Path(__file__).parent.parent / "dashboard"


class Dashboard(Mount):
    """Takes what no route of the API has taken, except addresses of the API that are wrong."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] == "http" and scope["path"].startswith("/api/"):
            return Match.NONE, {}
        match, child_scope = super().matches(scope)
        if match is Match.FULL and scope.get("method", "GET") not in {"GET", "HEAD"}:
            match = Match.PARTIAL
        return match, child_scope


class _Files(StaticFiles):
    """Files of our own that load nothing from elsewhere but the images of the object store."""

    def __init__(self, *args: Any, files_url: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        parts = urlsplit(files_url)
        store = f"{parts.scheme}://{parts.netloc}"
        self._policy = (
            f"default-src 'self'; script-src 'self'; style-src 'self'; connect-src 'self' {store};"
            f" img-src 'self' data: blob: {store};"
            " object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
        )

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Content-Security-Policy"] = self._policy
        response.headers["Cache-Control"] = "no-cache"
        response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
        return response


def dashboard(files_url: str) -> Dashboard | None:
    """Give the dashboard, or None where its files are not there; `files_url` is where browsers find images."""
    if not (_FILES / "index.html").is_file():
        return None
    return Dashboard("/", _Files(directory=_FILES, html=True, files_url=files_url))
