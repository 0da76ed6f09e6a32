"""AVIF and HEIC stills without what they tell beside their picture.

Nothing in such a file moves, since it names its parts by their places: what is not the picture becomes zeros, and the
boxes that held it become free space (ISO/IEC 14496-12 8.11 and 23008-12).
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Final, NamedTuple

from services.media.decoding.containers import iso_boxes
from shared.png_chunks import Part

STILLS: Final = frozenset({"avif", "heic"})
"""The formats that can be copied so, by name."""

_HEADER_BYTES: Final = 8
_VERSION_BYTES: Final = 4
_HANDLER_BYTES: Final = 12
_NAME_OF_HANDLER: Final = 24
_FREE: Final = b"free"
_MOST_BOXES: Final = 100
"""Of the file, and of its `meta`; they are looked through more than once."""
_MOST_TOLD_BYTES: Final = 4 * 1024 * 1024
"""Of its `meta`, which is taken apart: a profile is the largest thing there."""

_MOVING: Final = frozenset({b"moov", b"moof", b"mini"})
"""Sequences, and a short form of the boxes that hardly anybody writes."""

_KEPT: Final = frozenset({b"ftyp", b"meta", b"mdat"})
_PICTURES: Final = frozenset({b"av01", b"hvc1", b"grid", b"iovl", b"iden"})
_PROPERTIES: Final = frozenset(
    {b"ispe", b"pixi", b"colr", b"av1C", b"hvcC", b"irot", b"imir", b"clap", b"pasp", b"auxC", b"clli", b"mdcv"}
    | {b"cclv", b"amve", b"a1op", b"a1lx", b"lsel"}
)
_ALPHA: Final = (b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0", b"urn:mpeg:hevc:2015:auxid:1\0")
_ENCODERS_NAMES: Final = frozenset({b"", b"libavif", b"Color", b"Alpha"})
"""What encoders call everything; other names may tell something."""

_DATA_IS_HERE: Final = b"\0\0\0\x1cdref\0\0\0\0\0\0\0\x01\0\0\0\x0curl \0\0\0\x01"


class _UnfamiliarError(Exception):
    """The file is put together in a way that is not followed here."""


class _Item(NamedTuple):
    kind: bytes
    box: Part
    at: int  # of its kind


class _Reference(NamedTuple):
    box: Part
    source: int
    targets: tuple[int, ...]


def strip_still(payload: bytes) -> bytes | None:
    """Copy an AVIF or HEIC with its main picture, alpha and colours alone; None where it is a sequence, or unfamiliar.

    Args:
        payload: a file that was decoded before.

    """
    try:
        return _Still(payload).copy()
    except (_UnfamiliarError, IndexError):
        return None


class _Still:
    def __init__(self, payload: bytes) -> None:
        self._payload = payload
        self._copy = bytearray(len(payload))
        self._outer = list(iso_boxes(payload, 0, len(payload)))
        if any(box.kind in _MOVING for box in self._outer):
            raise _UnfamiliarError
        self._meta = _only(b"meta", self._outer)
        self._inner = list(iso_boxes(payload, self._meta.data + _VERSION_BYTES, self._meta.end))
        told_bytes = self._meta.end - self._meta.data
        if max(len(self._outer), len(self._inner)) > _MOST_BOXES or told_bytes > _MOST_TOLD_BYTES:
            raise _UnfamiliarError

    def copy(self) -> bytes:
        items, references = self._items(), list(self._references())
        kept = self._of_main_picture(references)
        if any(one not in items or items[one].kind not in _PICTURES for one in kept):
            raise _UnfamiliarError
        for box in self._outer:
            self._keep(box.start, box.end if box.kind == b"ftyp" else box.data)
            if box.kind not in _KEPT:
                self._free(box)
        self._keep(self._meta.data, self._meta.data + _VERSION_BYTES)
        for box in self._inner:
            self._copy_inner(box)
        self._copy_items(items, kept)
        self._copy_references(references, kept)
        self._copy_properties()
        self._copy_pixels(kept)
        # Behind the picture there may be a film, or whatever was put at the end.
        del self._copy[max(box.end for box in self._outer if box.kind in _KEPT) :]
        return bytes(self._copy)

    def _of_main_picture(self, references: list[_Reference]) -> set[int]:
        """Find the main picture, what it is put together of, and where all that is transparent."""
        parts: dict[int, list[int]] = defaultdict(list)
        alphas = self._alphas()
        for box, source, targets in references:
            if box.kind == b"dimg":
                parts[source] += targets
            if box.kind == b"auxl" and source in alphas:
                for target in targets:
                    parts[target].append(source)
        main = _only(b"pitm", self._inner)
        wide = 4 if self._payload[main.data] else 2
        kept, waiting = set[int](), [self._number(main.data + _VERSION_BYTES, wide)]
        while waiting:
            one = waiting.pop()
            if one not in kept:
                kept.add(one)
                waiting += parts[one]
        return kept

    def _items(self) -> dict[int, _Item]:
        table = _only(b"iinf", self._inner)
        start = table.data + _VERSION_BYTES + (4 if self._payload[table.data] else 2)
        items = {}
        for box in iso_boxes(self._payload, start, table.end):
            version, at = self._payload[box.data], box.data + _VERSION_BYTES
            wide = 4 if version == 3 else 2  # noqa: PLR2004
            number, protection, kind = self._number(at, wide), self._number(at + wide, 2), at + wide + 2
            if box.kind != b"infe" or version not in {2, 3} or protection or number in items or kind + 4 > box.end:
                raise _UnfamiliarError
            items[number] = _Item(self._payload[kind : kind + 4], box, kind)
        return items

    def _references(self) -> Iterator[_Reference]:
        for table in (box for box in self._inner if box.kind == b"iref"):
            wide = 4 if self._payload[table.data] else 2
            for box in iso_boxes(self._payload, table.data + _VERSION_BYTES, table.end):
                first, many = box.data + wide + 2, self._number(box.data + wide, 2)
                if first + many * wide > box.end:
                    raise _UnfamiliarError
                targets = (self._number(first + one * wide, wide) for one in range(many))
                yield _Reference(box, self._number(box.data, wide), tuple(targets))

    def _alphas(self) -> set[int]:
        """Find the items that say how transparent others are."""
        own = {number for number, box in enumerate(self._properties(), 1) if self._is_alpha(box)}
        tables = [box for box in self._within(b"iprp") if box.kind == b"ipma"]
        return {item for table in tables for item, properties in self._associations(table) if own & properties}

    def _is_alpha(self, box: Part) -> bool:
        return box.kind == b"auxC" and self._payload.startswith(_ALPHA, box.data + _VERSION_BYTES)

    def _associations(self, table: Part) -> Iterator[tuple[int, set[int]]]:
        wide, step = (4 if self._payload[table.data] else 2), 1 + (self._payload[table.data + 3] & 1)
        at = table.data + _VERSION_BYTES + 4
        for _ in range(self._number(at - 4, 4)):
            first, many = at + wide + 1, self._payload[at + wide]
            last = first + many * step
            if last > table.end:
                raise _UnfamiliarError
            mask = 0x7F if step == 1 else 0x7FFF
            yield self._number(at, wide), {self._number(one, step) & mask for one in range(first, last, step)}
            at = last

    def _within(self, kind: bytes) -> list[Part]:
        box = _only(kind, self._inner)
        return list(iso_boxes(self._payload, box.data, box.end))

    def _properties(self) -> list[Part]:
        box = _only(b"ipco", self._within(b"iprp"))
        return list(iso_boxes(self._payload, box.data, box.end))

    def _places(self) -> Iterator[tuple[int, Iterator[tuple[int, int]]]]:
        """Tell of each item where its bytes begin and end."""
        table = _only(b"iloc", self._inner)
        version, at = self._payload[table.data], table.data + _VERSION_BYTES
        offset, length = divmod(self._payload[at], 16)
        base, index = divmod(self._payload[at + 1], 16)
        if version > 2 or (version == 0 and index):  # noqa: PLR2004
            raise _UnfamiliarError
        wide = 4 if version == 2 else 2  # noqa: PLR2004
        many, at = self._number(at + 2, wide), at + 2 + wide
        for _ in range(many):
            item, at = self._number(at, wide), at + wide
            method, at = (self._number(at, 2) & 15, at + 2) if version else (0, at)
            elsewhere, start, extents = self._number(at, 2), self._number(at + 2, base), self._number(at + 2 + base, 2)
            at += 4 + base
            step = index + offset + length
            if not step or at + extents * step > table.end:
                raise _UnfamiliarError
            origin = self._origin(method, elsewhere, start)
            yield item, self._extents(at + index, extents, step, (offset, length), origin)
            at += extents * step

    def _origin(self, method: int, elsewhere: int, start: int) -> int | None:
        if elsewhere or method > 1:
            return None
        return start + _only(b"idat", self._inner).data if method else start

    def _extents(
        self, at: int, many: int, step: int, sizes: tuple[int, int], origin: int | None
    ) -> Iterator[tuple[int, int]]:
        if origin is None:
            raise _UnfamiliarError
        offset, length = sizes
        for one in range(at, at + many * step, step):
            start = origin + self._number(one, offset)
            yield start, start + self._number(one + offset, length)

    def _copy_inner(self, box: Part) -> None:
        self._keep(box.start, box.data)
        content = self._payload[box.data : box.end]
        if box.kind in {b"pitm", b"iloc"} or (box.kind == b"dinf" and content == _DATA_IS_HERE):
            self._keep(box.data, box.end)
        elif box.kind == b"hdlr":
            self._keep(box.data, box.data + _HANDLER_BYTES)
            self._keep_name(box.data + _NAME_OF_HANDLER, box.end)
        elif box.kind not in {b"iinf", b"iref", b"iprp", b"idat"}:
            self._free(box)

    def _copy_items(self, items: dict[int, _Item], kept: set[int]) -> None:
        table = _only(b"iinf", self._inner)
        self._keep(table.data, table.data + _VERSION_BYTES + (4 if self._payload[table.data] else 2))
        for number, (_, box, at) in items.items():
            self._keep(box.start, at + 4)
            if number in kept:
                self._keep_name(at + 4, box.end)
            else:
                self._copy[at : at + 4] = _FREE

    def _copy_references(self, references: list[_Reference], kept: set[int]) -> None:
        for table in (box for box in self._inner if box.kind == b"iref"):
            self._keep(table.data, table.data + _VERSION_BYTES)
        for box, source, targets in references:
            self._keep(box.start, box.end)
            if not kept.issuperset((source, *targets)):
                self._free(box)

    def _copy_properties(self) -> None:
        for box in self._within(b"iprp"):
            self._keep(box.start, box.end if box.kind == b"ipma" else box.data)
            if box.kind not in {b"ipco", b"ipma"}:
                self._free(box)
        for box in self._properties():
            self._keep(box.start, box.end)
            if box.kind not in _PROPERTIES:
                self._copy[box.data : box.end] = bytes(box.end - box.data)
                self._free(box)

    def _copy_pixels(self, kept: set[int]) -> None:
        shelves = [box for box in (*self._outer, *self._inner) if box.kind in {b"mdat", b"idat"}]
        left = 2 * len(self._payload)  # parts may share bytes, though not so often that copying them takes long
        for item, extents in self._places():
            for start, end in extents if item in kept else ():
                left -= end - start
                if left < 0 or start == end or not any(box.data <= start <= end <= box.end for box in shelves):
                    raise _UnfamiliarError
                self._keep(start, end)

    def _keep_name(self, start: int, end: int) -> None:
        if self._payload[start:end].rstrip(b"\0") in _ENCODERS_NAMES:
            self._keep(start, end)

    def _keep(self, start: int, end: int) -> None:
        self._copy[start:end] = self._payload[start:end]

    def _free(self, box: Part) -> None:
        self._copy[box.start + 4 : box.start + _HEADER_BYTES] = _FREE

    def _number(self, at: int, size: int) -> int:
        if at + size > len(self._payload):
            raise _UnfamiliarError
        return int.from_bytes(self._payload[at : at + size], "big")


def _only(kind: bytes, boxes: list[Part]) -> Part:
    found = [box for box in boxes if box.kind == kind]
    if len(found) != 1:
        raise _UnfamiliarError
    return found[0]
