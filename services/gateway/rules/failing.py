"""Whether doing a failed job again may help, by the code of its failure."""

import re
from typing import Final

_PASSING: Final = frozenset(
    {
        *("answer_malformed", "database_away", "deadline_exceeded", "fetch_connection_failed", "fetch_timeout"),
        *("host_not_found", "never_received", "object_store_unavailable", "provider_slow", "sandbox_unavailable"),
        *("scratch_unavailable", "statement_too_slow", "unexpected_error", "worker_gone", "worker_lost"),
    }
)
_STATUS: Final = re.compile(r"http_(408|425|429|5[0-9][0-9])")
_PASSING_KINDS: Final = ("_unavailable", "_timeout", "_slow", "_busy", "rate_limited")
"""How the codes end that other providers and sites may have for the same."""


def may_help(code: str | None) -> bool:
    """Tell whether the reason may have passed. What is wrong with the thing itself stays wrong.

    What may have been paid for is for a person to decide.
    """
    if code is None:
        return False
    return code in _PASSING or bool(_STATUS.fullmatch(code)) or code.endswith(_PASSING_KINDS)
