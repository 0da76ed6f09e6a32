"""How another process asks a running stack for something: one JSON line there, one back, on the loopback address."""

import asyncio
import hmac
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from deploy.local.errors import CannotRun
from deploy.local.ports import LOOPBACK
from deploy.local.state import StackState
from shared.errors import Failure

Action = Callable[[str], Awaitable[object]]
_LINE_BYTES = 65_536
_REQUEST_SECONDS = 10.0


class Control:
    """Takes requests that hold the stack's secret, and answers each when it is done."""

    def __init__(self, actions: Mapping[str, Action], secret: str) -> None:
        self._actions = actions
        self._secret = secret
        self._server: asyncio.Server | None = None

    async def open(self, port: int) -> None:
        self._server = await asyncio.start_server(self._serve, LOOPBACK, port, limit=_LINE_BYTES)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_REQUEST_SECONDS):
                line = await reader.readline()
            answer = await self._answer(line)
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
        except (OSError, ValueError):
            return  # whoever asked has left, says nothing, or sent a line without end
        finally:
            writer.close()

    async def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            request = json.loads(line)
            if not hmac.compare_digest(str(request["secret"]), self._secret):
                return _refusal("not_allowed", "The request does not hold this stack's secret.")
            answer = await self._actions[request["action"]](str(request["name"]))
        except Failure as error:
            return _refusal(error.code, error.sentence)
        except (ValueError, KeyError, TypeError):
            return _refusal("not_understood", f"A request names one of: {', '.join(self._actions)}.")
        return {"answer": answer}


async def ask(state: StackState, action: str, name: str = "") -> Any:
    """Ask a running stack to do something and wait until it is done.

    Args:
        state: of the stack, from `deploy.local.state.running`.
        action: one of those that `Stack` offers: kill, hold, start, pause, resume, erase_broker, ready, token.
        name: the part that is meant, where one is.

    Raises CannotRun with the stack's own reason.

    """
    reader, writer = await asyncio.open_connection(LOOPBACK, state.control_port, limit=_LINE_BYTES)
    try:
        request = {"secret": state.control_secret, "action": action, "name": name}
        writer.write(json.dumps(request).encode() + b"\n")
        line = await reader.readline()
    finally:
        writer.close()
    reply = json.loads(line) if line else _refusal("stack_gone", "The stack ended before it answered.")
    if "code" in reply:
        raise CannotRun(reply["code"], reply["sentence"])
    return reply["answer"]


def _refusal(code: str, sentence: str) -> dict[str, Any]:
    return {"code": code, "sentence": sentence}
