"""The operators' command line: `python -m deploy.ctl jobs | dead-letters | work`.

Exit status: 0 done, 1 refused or none found, 2 not understood, 3 no gateway could be reached.
"""

import sys

import typer

from deploy.ctl import dead_letters, jobs, work
from deploy.ctl.telling import CANNOT_REACH, REFUSED_OR_NONE
from deploy.gateway_client import GatewayAway, GatewayProblem
from deploy.local.errors import CannotRun

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Jobs, dead letters and pauses of a Diorama.")
app.add_typer(jobs.app, name="jobs")
app.add_typer(dead_letters.app, name="dead-letters")
app.add_typer(work.app, name="work")


def main() -> None:
    """Run a command; what is refused or away is told in a sentence."""
    try:
        app()
    except GatewayProblem as problem:
        sys.exit(_told(problem.sentence, REFUSED_OR_NONE))
    except (GatewayAway, CannotRun, OSError) as error:
        sys.exit(_told(getattr(error, "sentence", str(error)), CANNOT_REACH))


def _told(sentence: str, status: int) -> int:
    typer.echo("".join(character for character in sentence if character.isprintable()), err=True)
    return status


if __name__ == "__main__":
    main()
