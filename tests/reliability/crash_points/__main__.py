"""The whole sweep: `make crash-points [only=media] [alone=1] [everywhere=1]`; exits with 1 where anything differs."""

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

from tests.reliability.crash_points.paying import SERVICE, bills, points_of_payment
from tests.reliability.crash_points.rig import Rig, rigged
from tests.reliability.crash_points.sweep import Recording, Report, Sweep, recorded, told_of


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def _sweep(rig: Rig, only: str, *, alone: bool, everywhere: bool) -> bool:
    recording = await recorded(rig)
    for line in told_of(recording, rig.points):
        _tell(line)
    deaths = recording.deaths() if everywhere else recording.deaths_once()
    deaths = [death for death in deaths if only in f"{death.service} {death.point} {death.act}"]
    report = await Sweep(rig, recording.expected, alone=alone, tell=_tell).run(deaths)
    return (await _paid_once(rig, only)) & _told(recording, report, rig)


async def _paid_once(rig: Rig, only: str) -> bool:
    """Tell what became of a picture that is paid for; give whether all was as it should be."""
    points = [point for point in await points_of_payment(rig) if only in f"{SERVICE} {point}"]
    found = await bills(rig, points)
    for point, bill in found.items():
        _tell(f"paid for: {point}: {'died' if bill.died else 'not come to'}, {bill.state} {bill.error_code or ''}")
    wrong = {point: bill.wrong for point, bill in found.items() if bill.wrong}
    for point, sentence in wrong.items():
        _tell(f"paid for: {point}: {sentence}")
    return not wrong and all(bill.died for bill in found.values())


def _told(recording: Recording, report: Report, rig: Rig) -> bool:
    """Tell what became of the sweep; give whether all was as it should be."""
    unvisited = recording.unvisited(rig.points)
    for point in unvisited:
        _tell(f"unvisited: {point}")
    for death in report.missed:
        _tell(f"not come to again: {death}")
    for deaths, lines in report.differing.items():
        _tell(f"differs: {'; '.join(map(str, deaths))}")
        for line in lines:
            _tell(f"    {line}")
    _tell(
        f"{len(rig.points)} points, {len(unvisited)} unvisited, {report.rounds} rounds, {len(report.same)} deaths"
        f" with the same end, {len(report.differing)} differing, {len(report.missed)} not come to again"
    )
    return not (unvisited or report.missed or report.differing)


async def _main(only: str, *, alone: bool, everywhere: bool) -> int:
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="crash-points-") as directory:
        async with rigged(Path(directory)) as rig:
            good = await _sweep(rig, only, alone=alone, everywhere=everywhere)
    _tell(f"{time.monotonic() - began:.0f} s")
    return 0 if good else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="make crash-points")
    parser.add_argument(
        "--only", default="", help="part of a service, its point and when, such as `media shared.relay` or `starts`"
    )
    parser.add_argument("--alone", action="store_true", help="one death a round, instead of one of each service")
    parser.add_argument(
        "--everywhere", action="store_true", help="at each point every service that comes to it, instead of one"
    )
    asked = parser.parse_args()
    sys.exit(asyncio.run(_main(asked.only, alone=asked.alone, everywhere=asked.everywhere)))
