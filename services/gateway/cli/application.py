"""All commands, and what becomes of what is refused."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Final

import typer

from services.gateway.cli import dead_letters, failures, jobs, submitting, tokens, watching, work
from services.gateway.cli.asking import Locate, Meant, meant_gateway
from services.gateway.cli.client import GatewayAway, GatewayProblem
from services.gateway.cli.standing import queues, usage, workers
from services.gateway.cli.telling import CANNOT_REACH, NOT_UNDERSTOOD, REFUSED

_HELP: Final = """
Submit work to a Diorama, watch it, and look after it.

\b
Exit status:
  0  done
  1  a job that was waited for has failed, or nothing was found
  2  the command line makes no sense
  3  no gateway could be reached
  4  the gateway refused
"""
_NO_GATEWAY: Final = frozenset({"not_json", "not_a_problem"})

app = typer.Typer(add_completion=False, no_args_is_help=True, help=_HELP, rich_markup_mode=None)
app.add_typer(submitting.app, name="submit")
app.command()(watching.watch)
app.add_typer(jobs.app, name="jobs")
app.add_typer(failures.app, name="failures")
app.add_typer(dead_letters.app, name="dead-letters")
app.add_typer(work.app, name="work")
app.command()(queues)
app.command()(workers)
app.command()(usage)
app.add_typer(tokens.app, name="tokens")


@app.callback()
def mean(
    url: Annotated[str | None, typer.Option(help="The gateway; default: GATEWAY_URL.")] = None,
    token: Annotated[
        str | None, typer.Option(help="A user's token or an API key; default, and safer: GATEWAY_TOKEN.")
    ] = None,
) -> None:
    """Note which gateway is meant."""
    if url is not None and not url.startswith(("http://", "https://")):
        raise typer.BadParameter(f"{url} is not the address of a gateway, such as http://127.0.0.1:8000")
    meant_gateway.set(replace(meant_gateway.get(), url=url, token=token))


def main(locate: Locate | None = None, arguments: Sequence[str] | None = None) -> None:
    """Run a command and end with a status; what is refused or away is told in a sentence.

    `locate`: finds a gateway where none is named.
    """
    meant_gateway.set(Meant(locate=locate))
    try:
        app(args=None if arguments is None else list(arguments))
    except SystemExit as end:
        if isinstance(end.code, str):  # what is wrong with the environment
            sys.exit(_told(end.code, NOT_UNDERSTOOD))
        raise
    except GatewayProblem as problem:
        sys.exit(_told(problem.sentence, CANNOT_REACH if problem.code in _NO_GATEWAY else REFUSED))
    except GatewayAway as away:
        sys.exit(_told(away.sentence, CANNOT_REACH))
    except OSError as error:
        sys.exit(_told(str(error), CANNOT_REACH))


def _told(sentence: str, status: int) -> int:
    typer.echo("".join(character for character in sentence if character.isprintable()), err=True)
    return status
