"""However the network cuts a form, and whatever somebody calls one: it is the same form, or refused as none."""

from contextlib import suppress
from hashlib import sha256
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from services.gateway.uploads import FormRefused, Spools
from services.gateway.uploads.forms import Form
from tests.gateway.uploads.pictures import form_bytes, png

SPACE_BYTES = 10**6
FILE = png() + b"\r\n--z\r\n--\r\r\n-\r"
WHOLE = form_bytes(("title", b"A view\r\n--"), ("file", FILE), ("tags", b"sea"), ("file", png(2)))
WORDS = (*WHOLE.split(b"\r\n"), b"\r\n", b"--x", b"--x--", b'form-data; name="f"; filename*=', b"\0", b"\xff", b": ")
TYPES = ("multipart/form-data; boundary=x", 'multipart/form-data; boundary="', "multipart/form-data;;=;boundary=\0", "")


def _read(form: Form, chunks: list[bytes]) -> list[tuple[str, int, str]]:
    files = []
    for chunk in chunks:
        for spool in form.feed(chunk):
            files.append((spool.filename, spool.size_bytes, spool.sha256))
            spool.close()
    form.finish()
    return files


@given(st.lists(st.integers(0, len(WHOLE)), max_size=20))
def test_a_form_is_the_same_however_it_is_cut(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(WHOLE)]
    chunks = [WHOLE[start:end] for start, end in pairwise(places)]
    with Form(TYPES[0], Spools(None, limit_bytes=SPACE_BYTES), file_bytes=1000) as form:
        files = _read(form, chunks)
    assert files == [("a.png", len(body), sha256(body).hexdigest()) for body in (FILE, png(2))]
    assert form.fields == [("title", "A view\r\n--"), ("tags", "sea")]


@given(st.lists(st.sampled_from(WORDS), max_size=20), st.sampled_from(TYPES))
def test_rubbish_is_refused_and_holds_no_space(words: list[bytes], content_type: str) -> None:
    spools = Spools(None, limit_bytes=SPACE_BYTES)
    with suppress(FormRefused), Form(content_type, spools, file_bytes=100) as form:
        _read(form, words)
    assert spools._left_bytes == SPACE_BYTES
