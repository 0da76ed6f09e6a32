"""Pages are read in the characters they were written in."""

import codecs

import pytest

from services.scraper.extraction import extract
from services.scraper.extraction.labels import ENCODINGS, NOTHING

ADDRESS = "https://gallery.example/"


def alt_of(html: bytes, charset: str | None = None) -> str | None:
    (image,) = extract(html, url=ADDRESS, charset=charset).images
    return image.alt


def page(alt: str, head: str = "") -> str:
    return f"<html><head>{head}</head><body><img src=a.jpg alt='{alt}'></body></html>"


@pytest.mark.parametrize(
    ("encoding", "charset", "alt"),
    [
        ("utf-8", "utf-8", "日本 Ünïcode"),
        ("cp1252", "iso-8859-1", "€ „Haus“"),
        ("cp1252", "us-ascii", "naïve"),
        ("iso8859-2", "ISO-8859-2", "Żółć"),
        ("cp1251", "windows-1251", "Зал"),
        ("koi8-r", "koi8-r", "Зал"),
        ("cp932", "Shift_JIS", "展示①"),
        ("cp932", "x-sjis", "展示"),
        ("euc_jp", "EUC-JP", "展示"),
        ("iso2022_jp", "iso-2022-jp", "展示"),
        ("gb18030", "gb2312", "展厅㐀"),
        ("big5hkscs", "Big5", "展廳"),
        ("cp949", "euc-kr", "전시똠"),
        ("cp1254", "iso-8859-9", "şehir"),
        ("utf-16-le", "utf-16", "日本"),
        ("utf-16-be", "unicodeFFFE", "日本"),
        ("iso8859-8", "iso-8859-8-i", "שלום"),
        ("cp874", "windows-874", "ห้อง"),
        ("cp949", "ks_c_5601-1989", "전시"),
        ("mac-cyrillic", "x-mac-ukrainian", "Зал"),
        ("koi8-u", "koi8-ru", "Їжак"),
        ("utf-8", " 'unicode20utf8'\n", "日本"),
    ],
)
def test_the_header_names_the_encoding(encoding: str, charset: str, alt: str) -> None:
    assert alt_of(page(alt).encode(encoding), charset) == alt


@pytest.mark.parametrize(
    "head",
    [
        '<meta charset="windows-1251">',
        "<meta charset = windows-1251 >",
        '<meta http-equiv="Content-Type" content="text/html; charset=windows-1251">',
        "<!-- <meta charset=utf-8> --><META CHARSET='CP1251'>",
        "<!--><meta charset=windows-1251><!-- -->",
        "<meta content='text/html; charset=\"windows-1251\"' http-equiv=CONTENT-TYPE>",
        "<meta name=description content='charset=utf-8'><meta charset=windows-1251>",
        "<meta charset=windows-1251 charset=utf-8>",
        "<meta charset='no such'><meta/charset=windows-1251>",
        '<p title="<meta charset=utf-8>"><meta charset=windows-1251>',
        "<?x <meta charset=utf-8?><meta charset=windows-1251>",
    ],
)
def test_the_page_names_its_encoding_where_the_header_does_not(head: str) -> None:
    assert alt_of(page("Зал", head).encode("cp1251")) == "Зал"


def test_an_xml_declaration_names_the_encoding_where_no_meta_tag_does() -> None:
    declared = "<?xml version='1.0' encoding='windows-1251'?>"
    assert alt_of((declared + page("Зал")).encode("cp1251")) == "Зал"
    assert alt_of((declared + page("Зал", "<meta charset=koi8-r>")).encode("koi8-r")) == "Зал"


def test_an_xml_declaration_in_utf_16_is_known_by_its_first_characters() -> None:
    for encoding in ("utf-16-le", "utf-16-be"):
        assert alt_of(("<?xml version='1.0'?>" + page("日本")).encode(encoding)) == "日本"


def test_every_label_is_spelled_as_pages_are_asked_to_and_can_be_read() -> None:
    assert len(ENCODINGS) == 228
    for label, encoding in ENCODINGS.items():
        assert label == label.strip().lower()
        assert encoding == NOTHING or "A".encode(encoding)


@pytest.mark.parametrize("charset", ["iso-2022-kr", "HZ-GB-2312", "iso-2022-cn"])
def test_nothing_is_read_in_an_encoding_that_browsers_show_nothing_of(charset: str) -> None:
    assert extract(page("x").encode(), url=ADDRESS, charset=charset).images == ()


def test_the_header_wins_over_the_page() -> None:
    assert alt_of(page("Зал", "<meta charset=koi8-r>").encode("cp1251"), "windows-1251") == "Зал"


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [(codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")],
)
def test_a_byte_order_mark_wins_over_all(mark: bytes, encoding: str) -> None:
    assert alt_of(mark + page("日本", "<meta charset=koi8-r>").encode(encoding), "windows-1251") == "日本"


def test_a_page_that_declares_nothing_is_utf_8_where_it_can_be_and_windows_1252_where_not() -> None:
    assert alt_of(page("日本").encode()) == "日本"
    assert alt_of(page("Müller").encode("cp1252")) == "Müller"


def test_a_few_broken_bytes_do_not_spoil_a_page_of_utf_8() -> None:
    assert alt_of(page("日本展示").encode() + b"\xff") == "日本展示"
    assert alt_of(page("日本", "<meta charset=utf-8>").encode().replace("本".encode(), b"\xe6\x9c")) == "日\ufffd"


UNKNOWN = (
    "",
    "no such",
    "a\0b",
    "hex",
    "zlib",
    "rot13",
    "unicode_escape",
    "idna",
    "utf-7",
    "utf-32",
    "cp437",
    "cp65001",
)


@pytest.mark.parametrize("charset", UNKNOWN)
def test_a_charset_that_no_browser_knows_counts_as_none(charset: str) -> None:
    assert alt_of(page("Зал", "<meta charset=windows-1251>").encode("cp1251"), charset) == "Зал"


def test_a_page_that_can_be_read_as_ascii_is_not_utf_16_whatever_it_says() -> None:
    assert alt_of(page("日本", "<meta charset=utf-16>").encode()) == "日本"


@pytest.mark.parametrize(
    ("encoding", "charset", "query"),
    [
        ("utf-8", "utf-8", "%D1%8F%E2%98%83"),
        ("utf-16-le", "utf-16", "%D1%8F%E2%98%83"),
        ("cp1251", "windows-1251", "%FF%26%239731%3B"),
        ("koi8-r", "koi8-r", "%D1%26%239731%3B"),
        ("cp932", "shift_jis", "%84%91%26%239731%3B"),
        ("iso2022_jp", "iso-2022-jp", "%1B$B'q%1B(B%26%239731%3B"),
    ],
)
def test_queries_are_written_in_the_encoding_of_their_page_as_browsers_do(
    encoding: str, charset: str, query: str
) -> None:
    html = "<a href='/я?q=я☃'>a</a><img src='/я.jpg?q=я☃'>".encode(encoding, "xmlcharrefreplace")
    page = extract(html, url=ADDRESS, charset=charset)
    query = query.replace("'", "%27")
    assert page.images[0].url == f"{ADDRESS}%D1%8F.jpg?q={query}"
    assert page.links == (f"{ADDRESS}%D1%8F?q={query}",)
