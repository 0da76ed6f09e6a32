"""The browser in which the scraper of a local stack shows pages that scripts build."""

import asyncio
from asyncio.subprocess import DEVNULL, PIPE
from pathlib import Path
from typing import Final

from deploy.doctor.findings import Ill
from services.scraper.rendering.browser import find_browser
from shared.errors import Refused

_ANSWER_SECONDS: Final = 10.0


async def check_browser(named: Path | None) -> str:
    """Ask the browser which one it is; that there is none is no failure unless one is named."""
    try:
        program = find_browser(named)
    except Refused as refusal:
        if named:
            raise Ill(f"CHROMIUM names {named}, which is no program") from refusal
        return (
            "there is none: jobs that ask for rendered pages fail as rendering_unavailable until Chromium is installed"
        )
    version = await _version(program)
    return f"{version}, {program}"


async def _version(program: Path) -> str:
    asked = await asyncio.create_subprocess_exec(program, "--version", stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL)
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            said, _ = await asked.communicate()
    except TimeoutError:
        raise Ill(f"{program} does not say its version within {_ANSWER_SECONDS:.0f} s") from None
    finally:
        if asked.returncode is None:
            asked.kill()
            await asked.wait()
    version = said.decode(errors="replace").partition(" built on ")[0].strip()
    if asked.returncode or not version:
        raise Ill(f"{program} does not start; it ends with {asked.returncode}")
    return version[:100]
