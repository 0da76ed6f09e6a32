"""Of one account at a provider there is one limit, by however many names it is asked."""

from typing import Any

import pytest

from services.image_generation.providers import Means, Provider, open_providers
from shared.fetch import Outbound
from tests.image_generation.painters import Painter, wish
from tests.image_generation.shift import Shift
from tests.image_generation.test_providers import run_here
from tests.living import House

ONE, OTHER = {"base_url": "https://one.example", "key": "a-key"}, {"base_url": "https://one.example", "key": "b-key"}


class Hall:
    """How many are in hand at all painters together."""

    def __init__(self) -> None:
        self.in_hand = self.most_in_hand = 0


class Sharing(Painter):
    def __init__(self, name: str, hall: Hall, **can: Any) -> None:
        super().__init__(name, most_in_flight=3, **can)
        self.slow, self._hall = True, hall

    async def submit(self, request: Any) -> Any:
        self._hall.in_hand += 1
        self._hall.most_in_hand = max(self._hall.most_in_hand, self._hall.in_hand)
        return await super().submit(request)

    async def poll(self, submitted: Any) -> Any:
        done = await super().poll(submitted)
        self._hall.in_hand -= 1
        return done


async def most_in_hand(house: House, *accounts: str | None) -> int:
    hall = Hall()
    painters = {str(number): Sharing(str(number), hall, account=one) for number, one in enumerate(accounts)}
    commands = [wish(provider=name) for name in painters for _ in range(20)]
    outcomes = await Shift(house, painters).work(commands, workers=10)
    assert {outcome.state for outcome in outcomes.values()} == {"completed"}
    return hall.most_in_hand


async def test_two_entries_of_one_account_together_never_ask_for_more_than_it_allows(house: House) -> None:
    assert await most_in_hand(house, "an account", "an account") == 3


@pytest.mark.parametrize("accounts", [("an account", "another"), (None, None)])
async def test_two_accounts_have_a_limit_each(house: House, accounts: tuple[str | None, ...]) -> None:
    """The control."""
    assert await most_in_hand(house, *accounts) > 3


def entries(**settings: dict[str, Any]) -> dict[str, Provider]:
    return open_providers(settings, Means(run_here, lambda allow: Outbound(user_agent="tests", allow=allow)))


@pytest.mark.parametrize("kind", ["modelslab", "openai", "comfyui"])
def test_entries_with_the_same_address_and_key_have_one_account(kind: str) -> None:
    opened = entries(
        a={"kind": kind, **ONE}, b={"kind": kind, **ONE, "base_url": "https://one.example/"}, c={"kind": kind, **OTHER}
    )
    a, b, c = (opened[name].capabilities.account for name in "abc")
    assert a == b != c
    assert "a-key" not in repr(opened["a"].capabilities)


def test_a_renderer_of_this_machine_has_none() -> None:
    assert entries(sketch={})["sketch"].capabilities.account is None
