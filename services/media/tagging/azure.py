"""Tags, objects and a caption from Azure AI Vision, Image Analysis 4.0, which Microsoft retires on 25 September 2028.

Format: https://learn.microsoft.com/azure/ai-services/computer-vision/how-to/call-analyze-image-40
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from types import TracebackType
from typing import Any, Final, Self

import aiohttp
import orjson

from contracts.media import Area, Caption, SeenObject, Tag
from services.media.tagging.tagger import Seen, Unanswered
from shared.errors import Refused, TryAgain, printable
from shared.fetch.answers import Answered, answered

KINDS: Final = ("tags", "objects", "caption")

_NAME: Final = "Azure Image Analysis"
_PATH: Final = "/computervision/imageanalysis:analyze"
_API_VERSION: Final = "2024-02-01"
_ANSWER_BYTES: Final = 1024 * 1024
_MOST: Final = 100
_NAME_CHARACTERS: Final = 100
_CAPTION_CHARACTERS: Final = 1000
_MESSAGE_CHARACTERS: Final = 300
_TIMEOUT: Final = aiohttp.ClientTimeout(total=90, sock_connect=10)
_PASSING: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})
_DENIED: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})

Json = Mapping[str, Any]


class AzureTagger:
    """Asks Azure, which is paid for each picture that it describes, and not for those that it refuses.

    Args:
        endpoint: of the resource, such as `https://name.cognitiveservices.azure.com`.
        key: of the resource; it stands in one header and nowhere else.
        kinds: what to ask for, some of `KINDS`.

    """

    origin = "azure.image_analysis.4.0"
    costs_money = True

    def __init__(self, endpoint: str, key: str, kinds: tuple[str, ...] = KINDS) -> None:
        self.kinds = frozenset(kinds)
        self._url = endpoint.rstrip("/") + _PATH
        self._key = key
        self._features = tuple(kind for kind in KINDS if kind in kinds)

    async def __aenter__(self) -> Self:
        # A connection that is used again may be closing already, and then nobody knows whether a question arrived.
        connector = aiohttp.TCPConnector(force_close=True)
        self._session = aiohttp.ClientSession(
            connector=connector, timeout=_TIMEOUT, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def look(self, picture: bytes) -> Seen:
        """Describe a picture of more than 50 x 50 pixels and at most 20 MiB; raises as `Tagger` says."""
        features = self._features
        answer = await self._ask(picture, features)
        if _lacks_captions(answer, features):
            # So it is in many regions; the rest is answered there, and a refused question costs nothing.
            self._features = features = tuple(one for one in features if one != "caption")
            answer = await self._ask(picture, features)
        self._check(answer)
        return _seen(_read(answer.beginning))

    async def _ask(self, picture: bytes, features: Sequence[str]) -> Answered:
        with _named_failures():
            async with self._session.post(
                self._url,
                params={"api-version": _API_VERSION, "features": ",".join(features)},
                headers={"Ocp-Apim-Subscription-Key": self._key, "Content-Type": "application/octet-stream"},
                data=picture,
                allow_redirects=False,
            ) as response:
                return await answered(response, _ANSWER_BYTES)

    def _check(self, answer: Answered) -> None:
        if answer.is_success:
            return
        code, message = _error(answer.beginning)
        # Whatever it quotes, it is not our key.
        reason = printable(" ".join(part for part in (code, message) if part).replace(self._key, "(our key)"))
        sentence = f"{_NAME} answered {answer.status}: {reason[:_MESSAGE_CHARACTERS] or 'no reason given'}"
        if answer.status in _PASSING or answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise TryAgain(
                f"http_{answer.status}",
                sentence,
                retry_after_seconds=answer.retry_after_seconds,
                rate_limited=answer.status == HTTPStatus.TOO_MANY_REQUESTS,
            )
        if answer.status in _DENIED:
            raise Refused("describer_denied", f"{sentence} See AZURE_VISION_KEY, and what it may still spend.")
        raise Refused(f"http_{answer.status}", sentence)


def _lacks_captions(answer: Answered, features: Sequence[str]) -> bool:
    if answer.status != HTTPStatus.BAD_REQUEST or "caption" not in features or len(features) == 1:
        return False
    code, message = _error(answer.beginning)
    return code == "NotSupportedVisualFeature" or "caption" in message.lower()


@contextmanager
def _named_failures() -> Iterator[None]:
    """Tell questions that never left from those that may have arrived; no error of the library goes on.

    Those hold the request with all its headers, and so the key.
    """
    try:
        yield
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
        raise TryAgain("describer_away", f"{_NAME} cannot be reached.") from None
    except (aiohttp.ClientError, TimeoutError, ConnectionError):
        raise Unanswered(_NAME) from None


def _read(body: bytes) -> Json:
    try:
        found = orjson.loads(body)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Refused("answer_malformed", f"What {_NAME} answered is no JSON object.")
    return found


def _error(body: bytes) -> tuple[str, str]:
    """Find the code and message of an error, the innermost code first, since the outer one is mostly the same."""
    try:
        error = _object(_object(orjson.loads(body)).get("error"))
    except ValueError:
        return "", ""
    inner = _object(error.get("innererror"))
    code, message = (inner.get(name) or error.get(name) or "" for name in ("code", "message"))
    return str(code), str(message)


def _seen(found: Json) -> Seen:
    """Read what was answered; what is not there was not asked for or not found, and what is odd is left out."""
    size = _object(found.get("metadata"))
    tags = [Tag(**one) for one in map(_named, _values(found, "tagsResult")) if one]
    objects = [
        SeenObject(**named, area=_area(_object(one.get("boundingBox")), size))
        for one in _values(found, "objectsResult")
        if (named := _named(next(iter(_objects(one.get("tags"))), {})))
    ]
    caption = _object(found.get("captionResult"))
    text = printable(str(caption.get("text") or "").strip(), _CAPTION_CHARACTERS)
    return Seen(
        tags=tuple(sorted(tags, key=_doubt)[:_MOST]),
        objects=tuple(sorted(objects, key=_doubt)[:_MOST]),
        caption=Caption(text=text, confidence=_share(caption.get("confidence"))) if text else None,
    )


def _doubt(one: Tag | SeenObject) -> float:
    return -one.confidence


def _named(one: Json) -> dict[str, Any]:
    name = printable(str(one.get("name") or "").strip(), _NAME_CHARACTERS)
    return {"name": name, "confidence": _share(one.get("confidence"))} if name else {}


def _area(box: Json, size: Json) -> Area | None:
    """Turn pixels into shares; None where the answer does not tell both."""
    width, height = _number(size.get("width")), _number(size.get("height"))
    if not (width and height) or not {"x", "y", "w", "h"} <= box.keys():
        return None
    return Area(
        left=_share(_number(box["x"]) / width),
        top=_share(_number(box["y"]) / height),
        width=_share(_number(box["w"]) / width),
        height=_share(_number(box["h"]) / height),
    )


def _values(found: Json, name: str) -> list[Json]:
    return _objects(_object(found.get(name)).get("values"))


def _objects(value: Any) -> list[Json]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _object(value: Any) -> Json:
    return value if isinstance(value, dict) else {}


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _share(value: Any) -> float:
    return min(1.0, max(0.0, round(_number(value), 4)))
