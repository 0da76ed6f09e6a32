"""What generating images needs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from contracts.image_generation import ProvidersReported
from services.image_generation.providers import Provider, Wish, chosen, offer_of, shortcoming
from services.image_generation.rules.admission import Budgets
from shared.errors import Refused
from shared.objects import ObjectStore


def _nowhere(_job_id: UUID) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Studio:
    """Providers, where their pictures are kept, and on which terms they are asked.

    Attributes:
        default: who draws when a request names nobody.
        fallbacks: who draws then, in this order, where the default is away, unpaid or cannot do it.
        deadline_seconds: how long is waited for a picture.
        hints: where a provider may say that there is news of a job; None: nowhere.

    """

    providers: Mapping[str, Provider]
    default: str
    objects: ObjectStore
    deadline_seconds: float
    fallbacks: tuple[str, ...] = ()
    budgets: Budgets = field(default_factory=Budgets)
    hints: Callable[[UUID], str | None] = _nowhere

    def __post_init__(self) -> None:
        """Refuse settings by which nobody could draw, or a budget that nobody could keep."""
        for name in (self.default, *self.fallbacks):
            chosen(self.providers, name, name)
        for provider in self.providers.values():
            can = provider.capabilities
            if self.budgets.any and can.costs_money and can.price_micros is None:
                raise Refused("price_unknown", f"A budget needs to know the price_usd of a picture of {provider.name}.")

    def candidates(self, named: str | None, wish: Wish) -> list[Provider]:
        """Give who may be asked, in order: whoever is named alone, else the default and those who stand in for it.

        Raises:
            Refused: `provider_unknown`, or why none of them can do it, as the first of them says.

        """
        names = [named] if named else [self.default, *self.fallbacks]
        asked = [chosen(self.providers, name, name) for name in dict.fromkeys(names)]
        lacking = [shortcoming(provider.name, provider.capabilities, wish) for provider in asked]
        able = [provider for provider, lack in zip(asked, lacking, strict=True) if lack is None]
        if not able:
            raise next(lack for lack in lacking if lack is not None)
        return able

    def sharing(self, provider: Provider) -> tuple[str, ...]:
        """Name all who ask with the account of a provider, itself among them."""
        account = provider.capabilities.account
        names = [one.name for one in self.providers.values() if account == one.capabilities.account]
        return (provider.name,) if account is None else tuple(names)

    def report(self) -> ProvidersReported:
        """Say who draws here, and what each can do."""
        return ProvidersReported(
            service="image_generation",
            at=datetime.now(UTC),
            default=self.default,
            fallbacks=self.fallbacks,
            offers=tuple(offer_of(name, provider.capabilities) for name, provider in self.providers.items()),
            budget_micros=self.budgets.of_all_micros,
            owner_budget_micros=self.budgets.of_owner_micros,
        )
