"""Versions of things that are edited: the ETag that names one, and the If-Match on which an edit rests.

A tag begins with the version. Where a reply shows more than the thing itself (counts, the caller's role), a digest of
the reply follows behind a dot: such a reply can change while the version stays.
"""

import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

import orjson
from fastapi import Request, Response
from pydantic import BaseModel

from services.gateway.routes.problems import Problem
from services.gateway.routes.replies import Json

_TAG: Final = re.compile(r'(?P<weak>W/)?"(?P<tag>[\x21\x23-\x7e\x80-\xff]*)"')


def check_version(request: Request, version: int | None) -> None:
    """Refuse an edit of something that has changed since the client saw it, or that is not there (None).

    Without `If-Match` whoever comes last wins. Raises a 412 problem, and a 400 problem where the header holds no tags.
    """
    asked = [tag.strip() for line in request.headers.getlist("if-match") for tag in line.split(",")]
    if not asked or (version is not None and str(version) in map(_version_in, asked)):
        return
    if asked == ["*"] and version is not None:
        return
    sentence = "It was changed since you looked; look again, and repeat your change if you still want it."
    raise Problem(412, "version_stale", sentence, headers=None if version is None else {"ETag": etag_of(version)})


def _version_in(tag: str) -> str | None:
    """Give the version that a tag names; a weak one names none (RFC 9110, §13.1.1)."""
    found = _TAG.fullmatch(tag)
    if found is None and tag != "*":
        raise Problem(400, "if_match_invalid", 'If-Match holds the ETag of a reply as it was given, such as "3".')
    return None if found is None or found["weak"] else found["tag"].partition(".")[0]


def etag_of(version: int, body: Mapping[str, Any] | None = None) -> str:
    """Give the tag of a version; with `body`, of a reply that also shows what no version counts."""
    digest = "" if body is None else "." + sha256(orjson.dumps(body, default=str)).hexdigest()[:16]
    return f'"{version}{digest}"'


def versioned(shown: BaseModel, version: int, *, alone: bool = True) -> Response:
    """Answer with a thing and its version. `alone`: the reply shows nothing else that may change."""
    body = shown.model_dump(mode="json")
    return Json(body, headers={"ETag": etag_of(version, None if alone else body)})


def with_etag(response: Response, version: int) -> Response:
    """Say which version of a thing a reply shows."""
    response.headers["ETag"] = etag_of(version)
    return response
