"""A form with files (multipart/form-data, RFC 7578), taken apart while it comes."""

from types import TracebackType
from typing import Final, Self

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

from services.gateway.uploads.spools import Spool, Spools
from shared.errors import printable

FILES_LIMIT: Final = 20
_FIELDS_LIMIT: Final = 100
_FIELDS_BYTES: Final = 128 * 1024
_FILENAME_CHARACTERS: Final = 255


class FormRefused(Exception):
    """A form that cannot be read, or holds too much; nothing of it is taken."""

    def __init__(self, status: int, code: str, sentence: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.sentence = sentence


class Form:
    """Takes a form apart: fields are kept, files go into spools one after the other.

    Attributes:
        fields: names and values so far, in their order.

    """

    def __init__(self, content_type: str, spools: Spools, *, file_bytes: int) -> None:
        self.fields: list[tuple[str, str]] = []
        self._spools = spools
        self._file_bytes = file_bytes
        self._parser = _parser(content_type, self)
        self._complete = False
        self._fields_bytes = 0
        self._opened: list[Spool] = []
        self._finished: list[Spool] = []
        self._spool: Spool | None = None
        self._name = ""
        self._value = bytearray()
        self._header, self._header_value = bytearray(), bytearray()
        self._disposition: bytes = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for spool in self._opened:
            spool.close()

    def feed(self, data: bytes) -> list[Spool]:
        """Take the next bytes; give the files that end in them. Blocks on the disk; raises FormRefused and Busy."""
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise _unreadable() from error
        finished, self._finished = self._finished, []
        return finished

    def finish(self) -> None:
        """Say that no more comes; raises FormRefused where the form has not ended."""
        if not self._complete:
            raise FormRefused(400, "multipart_incomplete", "The form breaks off before its end; please send it again.")

    def on_part_begin(self) -> None:
        self._disposition = b""
        self._name = ""
        self._value.clear()

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def on_header_end(self) -> None:
        if bytes(self._header).lower() == b"content-disposition":
            self._disposition = bytes(self._header_value)
        self._header.clear()
        self._header_value.clear()

    def on_headers_finished(self) -> None:
        kind, options = parse_options_header(self._disposition.decode("latin-1"))
        if kind != b"form-data" or b"name" not in options:
            raise _unreadable()
        self._name = _text(options[b"name"])
        if b"filename" in options:
            self._begin_file(options[b"filename"])

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._spool is not None:
            self._spool.write(memoryview(data)[start:end])
            return
        self._count_field(end - start)
        self._value += data[start:end]

    def on_part_end(self) -> None:
        if self._spool is None:
            self._count_field(len(self._name))
            self.fields.append((self._name, _text(bytes(self._value))))
            if len(self.fields) > _FIELDS_LIMIT:
                raise FormRefused(413, "form_too_large", f"A form has at most {_FIELDS_LIMIT} fields beside its files.")
            return
        spool, self._spool = self._spool, None
        if not spool.filename and not spool.size_bytes:
            self._opened.remove(spool)  # how browsers send a field for files in which none was chosen
            spool.close()
            return
        self._finished.append(spool)
        spool.finish()

    def on_end(self) -> None:
        self._complete = True

    def _begin_file(self, filename: bytes) -> None:
        if len(self._opened) >= FILES_LIMIT:
            sentence = f"One form holds at most {FILES_LIMIT} files; please divide them. None of these was taken."
            raise FormRefused(413, "too_many_files", sentence)
        self._spool = Spool(self._spools, _filename(filename), limit_bytes=self._file_bytes)
        self._opened.append(self._spool)

    def _count_field(self, size_bytes: int) -> None:
        self._fields_bytes += size_bytes
        if self._fields_bytes > _FIELDS_BYTES:
            sentence = f"The fields beside the files have at most {_FIELDS_BYTES} bytes together."
            raise FormRefused(413, "form_too_large", sentence)


def _parser(content_type: str, form: Form) -> MultipartParser:
    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data":
        raise FormRefused(415, "media_type_unsupported", "Send the files as multipart/form-data.")
    boundary = options.get(b"boundary", b"")
    names = ("part_begin", "header_field", "header_value", "header_end", "headers_finished", "part_data", "part_end")
    callbacks = {f"on_{name}": getattr(form, f"on_{name}") for name in (*names, "end")}
    if not boundary:
        raise _unreadable()
    try:
        return MultipartParser(boundary, callbacks)  # type: ignore[arg-type]  # the names are those of its TypedDict
    except FormParserError as error:
        raise _unreadable() from error


def _unreadable() -> FormRefused:
    return FormRefused(400, "multipart_invalid", "This is not a form as RFC 7578 says; let a library write it.")


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise FormRefused(400, "multipart_invalid", "The names and fields of a form are UTF-8.") from error


def _filename(raw: bytes) -> str:
    """Give the last part of what may be a path, fit to be shown and stored."""
    name = raw.decode(errors="replace").replace("\\", "/").rpartition("/")[2]
    return printable("".join(filter(str.isprintable, name)), _FILENAME_CHARACTERS)
