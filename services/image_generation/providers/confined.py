"""How a function is run where nothing can happen to us."""

from collections.abc import Callable
from typing import Any, Protocol


class RunConfined(Protocol):
    """Runs a function of a module in another process: `shared.sandbox.Sandbox.run`."""

    async def __call__(
        self,
        function: Callable[[bytes, dict[str, Any]], tuple[dict[str, Any], list[bytes]]],
        payload: bytes,
        **options: Any,
    ) -> tuple[dict[str, Any], list[bytes]]: ...
