import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.house.sources import FLOORS, HOUSE
from tests.house.trees import plant

_LINT = Path(sys.executable).with_name("lint-imports")

BREACHES = {
    "shared/bus.py": "import services.media.rules",
    "contracts/envelope.py": "import shared.bus",
    "services/media/app.py": "import services.scraper.rules",
    "services/media/gadgets.py": "",
    "services/media/analysis.py": "import services.media.store",
    "services/scraper/rules.py": "import services.scraper.store",
    "services/gateway/handlers.py": "import services.gateway.routes",
    "services/image_generation/settings.py": "import services.image_generation.rules",
    "services/depth_map/handlers.py": "import services.depth_map.app",
    "shared/outbox.py": "import shared.relay",
    "shared/relay.py": "import shared.outbox",
}
TOLD = (
    "shared is not allowed to import services",
    "contracts is not allowed to import shared",
    "services.media is not allowed to import services.scraper",
    "services.media.gadgets",
    "services.media.analysis is not allowed to import services.media.store",
    "services.scraper.rules is not allowed to import services.scraper.store",
    "services.gateway.handlers is not allowed to import services.gateway.routes",
    "services.image_generation.settings is not allowed to import services.image_generation.rules",
    "services.depth_map.handlers is not allowed to import services.depth_map.app",
    "No cycles are allowed in shared.",
)


def walls() -> list[dict[str, Any]]:
    contracts: list[dict[str, Any]] = tomllib.loads((HOUSE / "pyproject.toml").read_text())["tool"]["importlinter"][
        "contracts"
    ]
    return contracts


def lint(root: Path) -> subprocess.CompletedProcess[str]:
    config = str(HOUSE / "pyproject.toml")
    return subprocess.run(  # noqa: S603  import-linter itself
        [str(_LINT), "--no-logo", "--no-cache", "--config", config],
        cwd=root,
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.fixture
def empty_house(tmp_path: Path) -> Path:
    """A house with every room that the walls name, and nothing in them."""
    plant(tmp_path, {f"{floor}/__init__.py": "" for floor in FLOORS})
    for wall in walls():
        for container in wall.get("containers", ()):
            folder = container.replace(".", "/")
            rooms = {room.strip(" ()") for layer in wall["layers"] for room in layer.replace(":", "|").split("|")}
            plant(tmp_path, {f"{folder}/{room}.py": "" for room in ["__init__", *rooms]})
    return tmp_path


def test_every_wall_stands() -> None:
    done = lint(HOUSE)

    assert done.returncode == 0, done.stdout + done.stderr


def test_every_breach_of_a_wall_is_seen(empty_house: Path) -> None:
    assert lint(empty_house).returncode == 0, "nothing is wrong before the breaches"

    report = lint(plant(empty_house, BREACHES)).stdout

    assert [told for told in TOLD if told not in " ".join(report.split())] == [], report
    assert [wall["name"] for wall in walls() if f"{wall['name']} KEPT" in report] == [], "each wall is breached once"


def test_every_service_has_walls_that_name_all_its_rooms() -> None:
    services = {f"services.{init.parent.name}" for init in (HOUSE / "services").glob("*/__init__.py")}
    exhaustive = {container for wall in walls() if wall.get("exhaustive") for container in wall["containers"]}

    assert exhaustive == services


def test_the_crafts_that_know_no_tables_are_all_the_crafts() -> None:
    entrances = {"__main__", "tokens", "cli", "app", "routes", "handlers", "rounds"}
    not_crafts = entrances | {
        "copying",
        "forgetting",
        "library",
        "manners",
        "reconciling",
        "removals",
        "store",
        "rules",
        "settings",
    }
    rooms = {
        room.strip(" ()")
        for wall in walls()
        for layer in (wall["layers"] if wall.get("exhaustive") else ())
        for room in layer.replace(":", "|").split("|")
    }
    (crafts,) = (wall["source_modules"] for wall in walls() if wall["id"] == "crafts")

    assert {craft.removeprefix("services.*.") for craft in crafts} == rooms - not_crafts


def test_nothing_is_exempt_from_the_walls() -> None:
    exempt = [wall["name"] for wall in walls() if {"ignore_imports", "exhaustive_ignores"} & wall.keys()]

    assert exempt == []
