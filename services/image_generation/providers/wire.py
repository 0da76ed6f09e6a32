"""HTTP with a provider: JSON there and back, and pictures; what goes wrong is sorted, and no key is ever told."""

import asyncio
import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from uuid import uuid4

import orjson
from pydantic import SecretStr

from services.image_generation.providers.confined import RunConfined
from services.image_generation.providers.measuring import measure
from services.image_generation.providers.provider import GeneratedPicture, Reference
from services.image_generation.rules.trouble import Delayed, Trouble, failure_of, is_forbidden, sorted_trouble
from shared.errors import Failure, Refused, TryAgain, printable
from shared.fetch import Fetched, Outbound, retry_after_seconds, was_sent
from shared.image_formats import IMAGE_FORMATS, sniff

PICTURE_LIMIT_BYTES: Final = 64 * 1024 * 1024
ANSWER_LIMIT_BYTES: Final = 128 * 1024 * 1024
_MESSAGE_CHARACTERS: Final = 200
_NOT_YET_THERE: Final = "http_404"
_WORD_BITS: Final = 64
_PAUSES_SECONDS: Final = (0.5, 2.0, 8.0)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a provider answered.

    Attributes:
        document: its JSON object; None where it sent anything else.
        retry_after_seconds: how long it asks for patience, by header.
        is_page: it is a page for people, which comes from what stands before the provider.

    """

    status: int
    document: dict[str, Any] | None
    retry_after_seconds: float | None
    is_page: bool = False

    @property
    def is_success(self) -> bool:
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES and self.document is not None


@dataclass(frozen=True, slots=True)
class Form:
    """What is sent as `multipart/form-data`; every file goes under the name `file_field`."""

    fields: Mapping[str, str]
    file_field: str
    files: Sequence[Reference]

    def encoded(self) -> tuple[bytes, str]:
        """Give the body and its media type (RFC 7578)."""
        boundary = uuid4().hex
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="'
        parts = [f'{head}{name}"\r\n\r\n{value}\r\n'.encode() for name, value in self.fields.items()]
        for file in self.files:
            about = f'{head}{self.file_field}"; filename="{file.name}"\r\nContent-Type: {file.content_type}\r\n\r\n'
            parts += [about.encode(), file.body, b"\r\n"]
        return b"".join([*parts, f"--{boundary}--\r\n".encode()]), f"multipart/form-data; boundary={boundary}"


class Wire:
    """One provider's server.

    Args:
        name: of the provider, for people.
        key: never told, also not where the provider quotes it.
        paid: a request of which nobody knows whether it was taken must not be repeated.

    """

    def __init__(
        self,
        name: str,
        outbound: Outbound,
        run_confined: RunConfined,
        *,
        key: SecretStr | None = None,
        paid: bool = True,
        deadline_seconds: float = 60,
    ) -> None:
        self.name = name
        self.outbound = outbound
        self._run_confined = run_confined
        self._key = key
        self._paid = paid
        self._deadline_seconds = deadline_seconds

    async def hand_in(
        self, url: str, document: Mapping[str, Any] | Form, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Hand a request in, once; raises `Denied` or `Delayed` that say whether it may have been taken."""
        try:
            return await self._ask(url, document, headers)
        except Failure as failure:
            lost = self._paid and was_sent(failure)
            raise self.trouble(Trouble.UNKNOWN if lost else Trouble.PASSING, failure.sentence) from failure

    async def ask(
        self, url: str, document: Mapping[str, Any] | Form | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Ask what may be asked again; by GET where there is nothing to say."""
        try:
            return await self._ask(url, document, headers)
        except Failure as failure:
            raise self.trouble(Trouble.PASSING, failure.sentence) from failure

    async def _ask(
        self, url: str, document: Mapping[str, Any] | Form | None, headers: Mapping[str, str] | None
    ) -> Answer:
        body, content_type = _encoded(document)
        fetched = await self.outbound.ask(
            url,
            body,
            max_bytes=ANSWER_LIMIT_BYTES,
            deadline_seconds=self._deadline_seconds,
            headers={"Content-Type": content_type, **(headers or {})},
        )
        return _answer(fetched)

    async def picture(
        self, url: str, seed: int | None, headers: Mapping[str, str] | None = None
    ) -> GeneratedPicture | None:
        """Copy a picture; None where it is not there yet, for links are told before what they lead to exists."""
        try:
            fetched = await self.outbound.read(
                url, max_bytes=PICTURE_LIMIT_BYTES, deadline_seconds=self._deadline_seconds, headers=headers
            )
        except (Refused, TryAgain) as failure:
            if failure.code == _NOT_YET_THERE:
                return None
            # What leads inward, or is far too large, is no better tomorrow; another status of its server may be.
            passing = isinstance(failure, TryAgain) or failure.code.startswith("http_")
            raise self.trouble(Trouble.PASSING if passing else Trouble.BROKEN, failure.sentence) from failure
        return await self.measured(fetched.body or b"", seed)

    async def picture_at_once(self, url: str) -> GeneratedPicture:
        """Copy a picture that nobody can ask for later; raises `Denied` (`output_unreadable`) after some tries."""
        for pause_seconds in (0.0, *_PAUSES_SECONDS):
            await asyncio.sleep(pause_seconds)
            try:
                picture = await self.picture(url, None)
            except Delayed:
                continue
            if picture is not None:
                return picture
        raise self.trouble(Trouble.BROKEN)

    async def decoded(self, text: str, seed: int | None) -> GeneratedPicture:
        """Read a picture that came as base64, with or without the beginning of a data URL."""
        try:
            body = base64.b64decode(text.rpartition("base64,")[2], validate=True)
        except (binascii.Error, ValueError) as error:
            raise self.trouble(Trouble.BROKEN) from error
        return await self.measured(body, seed)

    async def measured(self, body: bytes, seed: int | None) -> GeneratedPicture:
        """Look what bytes are; raises `Denied` (`output_unreadable`) where they are no picture.

        Where this machine has no time for that it is tried several times: what came with an answer never comes again.
        """
        found = IMAGE_FORMATS.get(sniff(body) or "")
        if found is None:
            raise self.trouble(Trouble.BROKEN)
        try:
            size = await self._size_of(body)
        except (Refused, OSError) as error:
            raise self.trouble(Trouble.BROKEN) from error
        return GeneratedPicture(body, found.content_type, size["width_px"], size["height_px"], seed)

    async def _size_of(self, body: bytes) -> dict[str, Any]:
        for pause_seconds in _PAUSES_SECONDS:
            try:
                return (await self._run_confined(measure, body))[0]
            except TryAgain:
                await asyncio.sleep(pause_seconds)
        return (await self._run_confined(measure, body))[0]

    def check(
        self,
        answer: Answer,
        message: str = "",
        retry_after: object = None,
        *,
        may_be_repeated: bool = False,
        own_words: Sequence[str] = (),
        details: str = "",
    ) -> None:
        """Raise what an answer that is no success means.

        Args:
            answer: to a request, or to a question about one.
            message: what its body says is wrong.
            retry_after: how long its body asks for patience, in seconds.
            may_be_repeated: it is a question, so that whatever is unclear passes.
            own_words: what was asked for: where the message quotes that, it says nothing of the provider.
            details: whatever else is for people alone, and says nothing of what follows.

        """
        if answer.is_success and not message:
            return
        trouble = _trouble_of(answer, _without(message, own_words))
        unclear = trouble is Trouble.UNKNOWN or (trouble is Trouble.WISH and not is_forbidden(message))
        if (may_be_repeated and unclear) or (trouble is Trouble.UNKNOWN and not self._paid):
            trouble = Trouble.PASSING
        seconds = _seconds(retry_after)
        told = f"{message} {details}".strip()
        raise self.trouble(trouble, told, answer.retry_after_seconds if seconds is None else seconds)

    def trouble(self, trouble: Trouble, message: str = "", retry_after_seconds: float | None = None) -> Failure:
        """Make a failure of this provider, whose words never hold the key."""
        return failure_of(self.name, trouble, self._without_key(message), retry_after_seconds)

    def _without_key(self, message: str) -> str:
        key = self._key.get_secret_value() if self._key else ""
        return printable(message.replace(key, "[key]") if key else message, _MESSAGE_CHARACTERS)


def _encoded(document: Mapping[str, Any] | Form | None) -> tuple[bytes | None, str]:
    if isinstance(document, Form):
        return document.encoded()
    return None if document is None else orjson.dumps(document), "application/json"


def _trouble_of(answer: Answer, message: str) -> Trouble:
    trouble = sorted_trouble(answer.status, message)
    if answer.document is not None or trouble is not Trouble.WISH:
        return trouble
    # A page stands in for the provider. Half of an answer, or none, is no answer: it may have taken the request.
    succeeded = HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES
    return Trouble.UNKNOWN if succeeded and not answer.is_page else Trouble.PASSING


def _without(message: str, quoted: Sequence[str]) -> str:
    """Leave out of a message what it quotes, as it stands or as JSON writes it."""
    for words in sorted(filter(None, quoted), key=len, reverse=True):
        message = message.replace(words, "").replace(orjson.dumps(words).decode()[1:-1], "")
    return message


def is_link(output: str) -> bool:
    """Tell a link from what holds the picture itself."""
    return output.startswith(("http://", "https://"))


def message_in(document: Mapping[str, Any] | None, *names: str) -> str:
    """Give what the first of these fields says that is there, as text, whatever it holds."""
    for name in names:
        if said := (document or {}).get(name):
            return said if isinstance(said, str) else orjson.dumps(said, default=str).decode()
    return ""


def whole_number(value: object, or_else: int | None) -> int | None:
    """Read a whole number that may be written as text."""
    try:
        found = int(str(value))
    except ValueError:
        return or_else
    return found if found.bit_length() < _WORD_BITS else or_else  # nobody could write a longer one down


def number(value: object) -> float | None:
    """Read a number that may be written as text; None where it is none that makes sense as a measure."""
    seconds = _seconds(value)
    return seconds if seconds is not None and seconds < float("inf") else None


def _seconds(value: object) -> float | None:
    try:
        seconds = float(str(value))
    except ValueError:
        return None
    return max(0.0, seconds) if seconds == seconds else None  # noqa: PLR0124 - NaN


def _answer(fetched: Fetched) -> Answer:
    try:
        document = orjson.loads(fetched.body or b"")
    except orjson.JSONDecodeError:
        document = None
    patience = retry_after_seconds(fetched.headers.get("Retry-After", ""))
    is_page = (fetched.body or b"").lstrip()[:1] == b"<"
    return Answer(fetched.status, document if isinstance(document, dict) else None, patience, is_page)
