"""Redirects: each is followed by us, one at a time, or by nobody."""

from typing import Final

from aiohttp import ClientSession, TraceConfig, TraceRequestRedirectParams

from shared.errors import Refused

REDIRECT_LIMIT: Final = 5
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


def too_many_redirects(host: str) -> Refused:
    """Say that a host sends us on for ever."""
    return Refused("too_many_redirects", f"{host} redirects more than {REDIRECT_LIMIT} times.")


def redirect_refused(host: str | None) -> Refused:
    """Say that a host sends us where what was asked of it may not be asked."""
    return Refused("redirect_refused", f"{host} sends us on to where we do not follow.")


def following_nothing() -> TraceConfig:
    """Have the library follow no redirect: it would carry all headers but a few along, and knows no policy of ours."""
    watch = TraceConfig()
    watch.on_request_redirect.append(_refuse)
    return watch


async def _refuse(_session: ClientSession, _context: object, redirect: TraceRequestRedirectParams) -> None:
    redirect.response.close()
    raise redirect_refused(redirect.url.host)
