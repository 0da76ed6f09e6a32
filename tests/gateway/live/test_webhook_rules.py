"""What is sent, how it is signed, and when it is tried again."""

from datetime import UTC, datetime
from uuid import UUID

import orjson
import pytest

from services.gateway.rules.webhooks import (
    BODY_LIMIT_BYTES,
    PING,
    body_of,
    check_url,
    headers_of,
    message_id,
    new_secret,
    retry_in_seconds,
    sign,
)
from shared.addresses import PUBLIC_WEB
from shared.errors import Refused

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ID = UUID("018f0000-0000-7000-8000-000000000001")


def test_the_signature_is_that_of_the_reference() -> None:
    signature = sign(SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_each_secret_that_holds_signs() -> None:
    headers = headers_of(message_id(ID), 1614265330, b"{}", [SECRET, new_secret(b"x" * 32)])
    assert headers["webhook-id"] == "msg_018f0000000070008000000000000001"
    assert [one.partition(",")[0] for one in headers["webhook-signature"].split(" ")] == ["v1", "v1"]


def test_a_body_has_its_three_fields_and_is_never_too_large() -> None:
    small = orjson.loads(body_of("job.completed", NOW, {"job": {"id": "j", "state": "completed"}, "sequence": 7}))
    assert small == {
        "type": "job.completed",
        "timestamp": "2026-01-31T12:00:00+00:00",
        "data": {"job": {"id": "j", "state": "completed"}, "sequence": 7},
    }
    large = body_of("job.failed", NOW, {"job": {"id": "j", "error": "x" * 30_000}, "sequence": 7, "image_id": "i"})
    assert len(large) < BODY_LIMIT_BYTES
    assert orjson.loads(large)["data"] == {"job_id": "j", "image_id": "i", "sequence": 7, "truncated": True}


def test_it_is_tried_again_for_days_and_not_by_all_at_once() -> None:
    pauses = [retry_in_seconds("job.failed", attempts, 0.5, None) for attempts in range(1, 12)]
    assert pauses == [5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400, None, None]
    earliest, latest = (retry_in_seconds("job.failed", 2, chance, None) for chance in (0.0, 1.0))
    assert (earliest, latest) == (pytest.approx(240), pytest.approx(360))
    assert retry_in_seconds(PING, 1, 0.5, None) is None


def test_a_receiver_that_asks_for_patience_gets_it_within_reason() -> None:
    assert retry_in_seconds("job.failed", 1, 0.5, 600) == 600
    assert retry_in_seconds("job.failed", 2, 0.5, 1) == 300
    assert retry_in_seconds("job.failed", 1, 0.5, 1e9) == 24 * 3600


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://example.com/hook", "https_required"),
        ("https://127.0.0.1/hook", "address_refused"),
        ("https://localhost/hook", "address_refused"),
        ("https://example.com:8443/hook", "url_port_refused"),
        ("https://me:secret@example.com/hook", "url_credentials_refused"),
        ("ftp://example.com/hook", "url_scheme_refused"),
    ],
)
def test_in_production_only_public_https_is_told_anything(url: str, code: str) -> None:
    check_url("https://example.com/hook", PUBLIC_WEB, https_only=True)
    check_url("http://example.com/hook", PUBLIC_WEB, https_only=False)
    with pytest.raises(Refused) as refused:
        check_url(url, PUBLIC_WEB, https_only=True)
    assert refused.value.code == code
