"""Services run under the supervisor like everything else: several at a time, and back after a crash."""

from pathlib import Path

from deploy.local.stack import Ready, Stack


async def test_a_killed_process_of_a_service_comes_back_beside_its_sibling(tmp_path: Path) -> None:
    told: list[Ready] = []
    async with Stack(
        tmp_path / "stack",
        services=("scraper",),
        processes={"scraper": 2},
        report=told.append,
    ) as stack:
        assert {part.name for part in told} >= {"postgres", "rabbitmq", "object_store", "scraper", "scraper-2"}
        sibling, killed = stack.supervisor.pid("scraper"), stack.supervisor.pid("scraper-2")
        await stack.supervisor.kill("scraper-2")
        await stack.supervisor.ready("scraper-2")
        assert stack.supervisor.pid("scraper-2") not in {killed, sibling}
        assert stack.supervisor.pid("scraper") == sibling
        assert stack.environment_of("scraper-2")["HTTP_PORT"] != stack.environment_of("scraper")["HTTP_PORT"]
