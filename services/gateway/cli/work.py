"""Kinds of work: having them rest, and go on."""

from typing import Annotated, Final

import typer

from services.gateway.cli.asking import ask
from services.gateway.cli.telling import AsJson, end_unless, tell, tell_json, tell_table

# Not one text: a path of the gateway that begins like a folder of some machines.
_WORK: Final = "/work"
_COLUMNS: Final = {"kind": "kind", "owner": "owner", "since": "paused_at", "until": "expires_at"}

Kind = Annotated[str, typer.Argument(help="Wire name of a command, such as media.fetch_media.v1.")]
TakeOver = Annotated[bool, typer.Option("--take-over", help="Also where somebody else has paused it.")]

app = typer.Typer(no_args_is_help=True, help="Kinds of work: pause, resume, and what is paused.")


@app.command()
def pause(
    kind: Kind,
    *,
    minutes: Annotated[float, typer.Option(min=0.01, help="After so long it goes on by itself.")] = 60,
    take_over: TakeOver = False,
    as_json: AsJson = False,
) -> None:
    """Start no more jobs of a kind for a while; what runs goes on."""
    body = {"kind": kind, "seconds": minutes * 60, "take_over": take_over}
    answer = ask(lambda gateway: gateway.post(f"{_WORK}/pause", body))
    if as_json:
        tell_json(answer)
    else:
        tell_table([answer], _COLUMNS)


@app.command()
def resume(kind: Kind, *, take_over: TakeOver = False, as_json: AsJson = False) -> None:
    """Have a kind go on."""
    answer = ask(lambda gateway: gateway.post(f"{_WORK}/resume", {"kind": kind, "take_over": take_over}))
    if as_json:
        tell_json(answer)
    else:
        tell(f"{kind} goes on.")


@app.command()
def pauses(*, as_json: AsJson = False) -> None:
    """Show the kinds that rest."""
    items = ask(lambda gateway: gateway.get(f"{_WORK}/pauses"))["items"]
    if as_json:
        tell_json(items)
    elif items:
        tell_table(items, _COLUMNS)
    else:
        tell("Nothing rests.")
    end_unless(items)
