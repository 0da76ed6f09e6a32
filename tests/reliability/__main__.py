"""`make chaos`: break everything at random under load, and count what is lost."""

import argparse
import asyncio
import logging
import sys
import tempfile
from pathlib import Path

import structlog
from rich.console import Console

from tests.reliability.laboratory.experiment import experiment
from tests.reliability.laboratory.premises import Premises
from tests.reliability.laboratory.report import show, versions, write

RESULTS = Path(__file__).parent / "RESULTS.md"


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.reliability", description=__doc__)
    parser.add_argument("--seconds", type=float, default=300, help="how long things are broken (default: 300)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed draws the same faults (default: 1)")
    parser.add_argument("--write", action="store_true", help=f"put the outcome into {RESULTS.name}")
    return parser.parse_args()


async def _main(asked: argparse.Namespace) -> int:
    console = Console()
    # Connections that break are what this is about.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    logging.getLogger("aiormq").addHandler(logging.NullHandler())
    with tempfile.TemporaryDirectory(prefix="laboratory-") as directory:
        async with Premises(Path(directory)) as premises:
            outcome = await experiment(premises, seed=asked.seed, seconds=asked.seconds)
            machine = await versions(premises.servers)
    show(outcome, console)
    console.print(machine)
    if asked.write:
        write(outcome, machine, RESULTS)
    return 1 if outcome.shortcomings() or outcome.too_slow() else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(_main(_asked())))
