"""Which characters a page's bytes mean: the HTML standard's encoding sniffing, without its guesses by content."""

import codecs
import re
from typing import Final

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
)
# Python's names of the encodings that browsers know, and what browsers really use where a label says so.
# Everything else that Python can decode (zip, hex, escapes ...) is none of a page's business.
_READ_AS: Final = {
    "ascii": "cp1252",
    "big5": "big5hkscs",
    "big5hkscs": "big5hkscs",
    "cp866": "cp866",
    "cp874": "cp874",
    "cp932": "cp932",
    "cp949": "cp949",
    **{f"cp125{number}": f"cp125{number}" for number in range(9)},
    "euc_jp": "euc_jp",
    "euc_kr": "cp949",
    "gb18030": "gb18030",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "iso2022_jp": "iso2022_jp",
    "iso8859-1": "cp1252",
    **{f"iso8859-{number}": f"iso8859-{number}" for number in (*range(2, 9), 10, 13, 14, 15, 16)},
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "koi8-r": "koi8-r",
    "koi8-u": "koi8-u",
    "mac-roman": "mac-roman",
    "mac-cyrillic": "mac-cyrillic",
    "shift_jis": "cp932",
    "tis-620": "cp874",
    "utf-8": "utf-8",
    "utf-16": "utf-16-le",
    "utf-16-le": "utf-16-le",
    "utf-16-be": "utf-16-be",
}
_ALIASES: Final = {
    "x-sjis": "shift_jis",
    "x-gbk": "gbk",
    "x-euc-jp": "euc_jp",
    "x-cp1252": "cp1252",
    "unicode": "utf-16",
}
_META: Final = re.compile(rb"<meta\b[^>]{0,400}?charset\s*=\s*[\"']?\s*([a-zA-Z0-9_:.\-]+)", re.IGNORECASE)
_COMMENT: Final = re.compile(rb"<!--.*?-->", re.DOTALL)
# The standard looks at 1024 bytes; browsers go on where the meta tag comes later, and so do we, a little.
_PRESCAN_BYTES: Final = 4096


def decode(html: bytes, charset: str | None) -> str:
    """Decode a page: its byte order mark wins, then the header's charset, then its meta tag, then UTF-8.

    Bytes that mean nothing become U+FFFD. A page that declares nothing and is no UTF-8 is read as windows-1252.
    """
    for mark, encoding in _MARKS:
        if html.startswith(mark):
            return html[len(mark) :].decode(encoding, "replace")
    declared = _encoding(charset) or _declared(html[:_PRESCAN_BYTES])
    if declared:
        return html.decode(declared, "replace")
    try:
        return html.decode("utf-8")
    except UnicodeDecodeError:
        return html.decode(_undeclared(html), "replace")


def _undeclared(html: bytes) -> str:
    """Tell a page of UTF-8 with a few broken bytes from one of another encoding."""
    text = html.decode("utf-8", "replace")
    foreign = sum(character > "\x7f" for character in text)
    return "utf-8" if text.count("\ufffd") * 2 < foreign else "cp1252"


def _declared(head: bytes) -> str | None:
    match = _META.search(_COMMENT.sub(b"", head))
    encoding = _encoding(match[1].decode("ascii")) if match else None
    # A meta tag that could be read as ASCII was not written in UTF-16.
    return "utf-8" if encoding and encoding.startswith("utf-16") else encoding


def _encoding(label: str | None) -> str | None:
    if not label:
        return None
    label = label.strip(" \t\n\r\f\"'").lower()
    try:
        return _READ_AS.get(codecs.lookup(_ALIASES.get(label, label)).name)
    except (LookupError, ValueError):  # ValueError: a label with a zero in it
        return None
