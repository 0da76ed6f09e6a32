"""Settings that make no sense end the start, and tell nobody a key."""

from decimal import Decimal
from typing import Any

import pytest

from services.image_generation.providers import Provider
from services.image_generation.rules.admission import Budgets
from services.image_generation.settings import Settings
from services.image_generation.studio import Studio
from shared.errors import Refused
from tests.image_generation.painters import Painter


def studio(painter: Provider, **options: Any) -> Studio:
    return Studio(providers={"painter": painter}, default="painter", objects=None, deadline_seconds=1, **options)  # type: ignore[arg-type]  # nothing is stored


def test_a_budget_without_prices_ends_the_start() -> None:
    with pytest.raises(Refused, match="price_usd of a picture of painter"):
        studio(Painter(price_micros=None), budgets=Budgets(of_all_micros=1))
    studio(Painter(price_micros=None))


def test_a_stand_in_that_is_not_there_ends_the_start() -> None:
    with pytest.raises(Refused, match="stand-in"):
        studio(Painter(), fallbacks=("stand-in",))


def test_settings_name_providers_budgets_and_hide_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    told = {
        "DATABASE_URL": "postgresql://x",
        "RABBITMQ_URL": "amqp://x",
        "S3_ENDPOINT_URL": "http://x",
        "S3_ACCESS_KEY_ID": "x",
        "S3_SECRET_ACCESS_KEY": "x",
        "MODELSLAB_API_KEY": "a-secret",
        "IMAGE_PROVIDERS": '{"sketch": {}, "modelslab": {"price_usd": "0.005"}, "openai": {"key": "a-secret"}}',
        "IMAGE_PROVIDER_FALLBACKS": "modelslab, sketch",
        "IMAGE_BUDGET_USD": "12.50",
    }
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    settings = Settings()  # type: ignore[call-arg]  # they come from the environment

    assert settings.image_provider_fallbacks == ("modelslab", "sketch")
    assert settings.budgets_micros == (12_500_000, None)
    assert settings.image_budget_usd == Decimal("12.50")
    assert settings.providers["modelslab"]["key"].get_secret_value() == "a-secret"
    assert settings.providers["modelslab"]["price_usd"] == "0.005"
    assert "a-secret" not in repr(settings)

    monkeypatch.setenv("IMAGE_PROVIDERS", '{"modelslab": {"kind": "openai", "base_url": "https://elsewhere.example"}}')
    assert "key" not in Settings().providers["modelslab"], "nobody else is told it"  # type: ignore[call-arg]  # as above
