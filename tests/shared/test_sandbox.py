import asyncio
import os
import resource
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from shared.errors import Refused, TryAgain
from shared.sandbox import Rehearsal, Sandbox
from shared.sandbox.confinement import landlock_version
from tests.shared import hostile_functions as hostile

ROOT = Path(__file__).parents[2]
MEGABYTE = 1_000_000


def a_sandbox(**settings: Any) -> Sandbox:
    return Sandbox(**{"processes": 1, "memory_bytes": 200 * MEGABYTE, "seconds": 10.0, **settings})


@pytest.fixture(scope="module")
async def sandbox() -> AsyncIterator[Sandbox]:
    """Shared by most tests: each of them finds it healed from the one before."""
    async with a_sandbox(answer_bytes=10 * MEGABYTE) as sandbox:
        yield sandbox


async def refusal(sandbox: Sandbox, function: Callable[..., Any], **options: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        await sandbox.run(function, b"bytes", **options)
    return caught.value


def is_alive(pid: int) -> bool:
    return status(Path(f"/proc/{pid}"))[0] != "Z"


def members_of_group(group: int) -> int:
    rows = [status(folder) for folder in Path("/proc").glob("[0-9]*")]
    return sum(state != "Z" and int(process_group) == group for state, _, process_group in rows)


def processor_ticks(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11])


def used_by_the_ended() -> float:
    """Give the processor time of all children that were waited for: a busy machine makes it no longer."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def status(process: Path) -> list[str]:
    """State, parent and process group; a process that is gone counts as a zombie."""
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()[:3]
    except (FileNotFoundError, ProcessLookupError):
        return ["Z", "0", "0"]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


# What a decoder that behaves sees.


async def test_a_function_answers_with_json_and_bytes(sandbox: Sandbox) -> None:
    result, blobs = await sandbox.run(hostile.echo, b"abc", depth=3, names=["ü"])
    assert (result["size_bytes"], result["options"]) == (3, {"depth": 3, "names": ["ü"]})
    assert blobs == [b"abc", b"cba"]


async def test_a_process_is_warm_and_is_replaced_after_its_calls() -> None:
    async with a_sandbox(calls_per_process=3) as sandbox:
        pids = [(await sandbox.run(hostile.echo, b""))[0]["pid"] for _ in range(7)]
    assert pids[0] == pids[1] == pids[2] != pids[3] == pids[4] == pids[5] != pids[6]
    assert not any(map(is_alive, pids))


async def test_large_payloads_come_from_memory_or_from_a_file(sandbox: Sandbox, tmp_path: Path) -> None:
    payload = os.urandom(4 * MEGABYTE)
    file = tmp_path / "payload"
    file.write_bytes(payload)
    for given in (payload, file):
        _, blobs = await sandbox.run(hostile.echo, given)
        assert blobs == [payload, payload[::-1]]


async def test_a_payload_that_is_gone_is_tried_again(sandbox: Sandbox, tmp_path: Path) -> None:
    with pytest.raises(TryAgain) as setback:
        await sandbox.run(hostile.echo, tmp_path / "gone")
    assert setback.value.code == "scratch_unavailable"
    await sandbox.run(hostile.echo, b"")


async def test_a_hundred_calls_at_a_time_are_all_answered() -> None:
    async with a_sandbox(processes=3, calls_per_process=20) as sandbox:
        answers = await asyncio.gather(
            *(sandbox.run(hostile.echo, bytes([number]) * number, number=number) for number in range(100))
        )
    for number, (result, blobs) in enumerate(answers):
        assert result["options"] == {"number": number}
        assert blobs[0] == bytes([number]) * number


async def test_a_function_that_no_other_process_can_import_is_a_mistake(sandbox: Sandbox) -> None:
    with pytest.raises(ValueError, match="cannot be imported"):
        await sandbox.run(lambda payload, _: ({}, [payload]), b"")


async def test_a_module_that_is_not_there_is_found_at_the_start() -> None:
    with pytest.raises(TryAgain) as setback:
        async with a_sandbox(preload=["no_such_module"]):
            pass
    assert setback.value.code == "sandbox_unavailable"
    assert "no_such_module" in setback.value.sentence


async def test_the_memory_of_preloaded_modules_is_not_counted() -> None:
    async with a_sandbox(preload=["numpy", "PIL.Image"], memory_bytes=20 * MEGABYTE) as sandbox:
        result, _ = await sandbox.run(hostile.echo, b"")
        assert result["size_bytes"] == 0


# What hostile bytes do, and what becomes of it.


async def test_a_refusal_arrives_as_it_was_raised(sandbox: Sandbox) -> None:
    refused = await refusal(sandbox, hostile.refuse, code="image_too_large", sentence="Too many pixels.")
    assert (refused.code, refused.sentence) == ("image_too_large", "Too many pixels.")


@pytest.mark.parametrize("code", ["", "Bad Code", "x" * 65, "a\n", "é"])
async def test_a_refusal_with_a_forged_code_is_a_crash(sandbox: Sandbox, code: str) -> None:
    assert (await refusal(sandbox, hostile.refuse, code=code, sentence="x")).code == "decoder_crashed"


async def test_sentences_are_short_and_printable(sandbox: Sandbox) -> None:
    assert len((await refusal(sandbox, hostile.refuse, code="long", sentence="x" * 10_000)).sentence) == 500
    failed = await refusal(sandbox, hostile.fail)
    assert failed.code == "decoder_failed"
    assert "ZeroDivisionError: bad header  [31m" in failed.sentence


@pytest.mark.parametrize(
    ("function", "code"),
    [
        (hostile.eat_memory, "needs_too_much_memory"),
        (hostile.leave, "decoder_crashed"),
        (hostile.segfault, "decoder_crashed"),
        (hostile.run_out_of_processor_time, "takes_too_long"),
        (hostile.answer_nonsense, "decoder_failed"),
    ],
)
async def test_what_goes_wrong_has_a_name_and_the_next_call_is_answered(
    sandbox: Sandbox, function: Callable[..., Any], code: str
) -> None:
    assert (await refusal(sandbox, function)).code == code
    assert (await sandbox.run(hostile.echo, b"next"))[1][0] == b"next"


async def test_a_payload_larger_than_the_memory_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "payload"
    file.write_bytes(bytes(80 * MEGABYTE))
    async with a_sandbox(memory_bytes=50 * MEGABYTE) as sandbox:
        for payload in (bytes(80 * MEGABYTE), file):
            with pytest.raises(Refused) as refused:
                await sandbox.run(hostile.echo, payload)
            assert refused.value.code == "needs_too_much_memory"
        await sandbox.run(hostile.echo, b"")


@pytest.mark.usefixtures("unhurried")
@pytest.mark.parametrize("function", [hostile.burn, hostile.sleep, hostile.have_child_and_sleep])
async def test_a_call_that_takes_too_long_is_killed_with_all_it_started(function: Callable[..., Any]) -> None:
    async with a_sandbox(seconds=1.0) as sandbox:
        pid = (await sandbox.run(hostile.echo, b""))[0]["pid"]
        started, used_before = time.monotonic(), used_by_the_ended()
        assert (await refusal(sandbox, function)).code == "takes_too_long"
        took = used_by_the_ended() - used_before if function is hostile.burn else time.monotonic() - started
        assert took < 5
        assert not is_alive(pid)
        await until(lambda: members_of_group(pid) == 0)
        assert (await sandbox.run(hostile.echo, b""))[0]["pid"] != pid


async def test_an_answer_that_is_too_large_is_refused(sandbox: Sandbox) -> None:
    assert (await refusal(sandbox, hostile.answer_much, size_bytes=11 * MEGABYTE)).code == "answer_too_large"
    assert (await refusal(sandbox, hostile.say_much, size_bytes=2 * MEGABYTE)).code == "answer_too_large"
    _, blobs = await sandbox.run(hostile.answer_much, b"", size_bytes=9 * MEGABYTE)
    assert len(blobs[0]) == 9 * MEGABYTE


async def test_what_a_library_prints_is_no_answer(sandbox: Sandbox) -> None:
    assert (await sandbox.run(hostile.print_much, b"abc"))[1][0] == b"abc"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("no json", "decoder_crashed"),
        ("[]", "decoder_crashed"),
        ('{"status": "done", "result": {}, "blobs": [-1]}', "decoder_crashed"),
        ('{"status": "done", "result": {}, "blobs": [true]}', "decoder_crashed"),
        ('{"status": "done", "result": {}, "blobs": [99999999999]}', "answer_too_large"),
        ('{"status": "done", "result": [], "blobs": []}', "decoder_crashed"),
        ('{"status": "invented", "blobs": []}', "decoder_crashed"),
        ("[" * 100_000, "decoder_crashed"),
    ],
)
async def test_a_forged_frame_is_refused_and_its_process_ended(sandbox: Sandbox, text: str, code: str) -> None:
    pid = (await sandbox.run(hostile.echo, b""))[0]["pid"]
    assert (await refusal(sandbox, hostile.forge, text=text)).code == code
    assert not is_alive(pid)


async def test_a_forged_length_is_not_believed(sandbox: Sandbox) -> None:
    assert (await refusal(sandbox, hostile.forge, text="x", length=2**32 - 1)).code == "answer_too_large"


# Who ends it.


async def test_a_cancelled_call_kills_its_process() -> None:
    async with a_sandbox(seconds=600) as sandbox:
        pid = (await sandbox.run(hostile.echo, b""))[0]["pid"]
        call = asyncio.create_task(sandbox.run(hostile.have_child_and_sleep, b""))
        await until(lambda: members_of_group(pid) == 2)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert not is_alive(pid)
        await until(lambda: members_of_group(pid) == 0)
        assert (await sandbox.run(hostile.echo, b"next"))[1][0] == b"next"


async def test_a_process_that_dies_while_it_is_idle_is_replaced() -> None:
    async with a_sandbox() as sandbox:
        pid = (await sandbox.run(hostile.echo, b""))[0]["pid"]
        os.kill(pid, signal.SIGKILL)
        await until(lambda: not is_alive(pid))
        assert (await sandbox.run(hostile.echo, b"next"))[1][0] == b"next"


async def test_processes_die_with_a_parent_that_is_killed() -> None:
    program = """
        import asyncio
        from shared.sandbox import Rehearsal, Sandbox
        from tests.shared import hostile_functions as hostile

        async def main():
            async with Sandbox(processes=2, memory_bytes=10**8, seconds=30) as sandbox:
                for child in sandbox._children:
                    print(child.pid, flush=True)
                await asyncio.gather(*(sandbox.run(hostile.burn, b"") for _ in range(2)))

        asyncio.run(main())
    """
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", textwrap.dedent(program), cwd=ROOT, stdout=subprocess.PIPE
    )
    assert parent.stdout is not None
    async with asyncio.timeout(30):
        pids = [int(await parent.stdout.readline()) for _ in range(2)]
    idle_ticks = max(map(processor_ticks, pids))
    await until(lambda: min(map(processor_ticks, pids)) > idle_ticks + 20)  # both are busy, and read no socket
    parent.kill()
    await parent.communicate()
    await until(lambda: not any(map(is_alive, pids)))


# What a process that was taken over finds.


async def test_no_secret_and_no_descriptor_is_inherited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S3_SECRET_ACCESS_KEY", "hunter2")
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.set_inheritable(True)
        async with a_sandbox() as sandbox:
            found, _ = await sandbox.run(hostile.surroundings, b"")
    assert "hunter2" not in str(found)
    assert set(found["environment"]) <= {
        "HOME",
        "LANG",
        "LC_CTYPE",
        "MALLOC_ARENA_MAX",
        "MALLOC_MMAP_THRESHOLD_",
        "MALLOC_TRIM_THRESHOLD_",
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "ORT_DISABLE_TELEMETRY",
        "PATH",
    }
    assert len(found["sockets"]) == 1
    assert found["group"] == found["pid"]


async def test_the_limits_of_the_system_are_set(sandbox: Sandbox) -> None:
    limits = (await sandbox.run(hostile.surroundings, b""))[0]["limits"]
    assert limits["open_files"] == [64, 64]
    assert limits["file_size"] == [0, 0]
    assert limits["core"] == [0, 0]
    assert 10 <= limits["processor_seconds"] <= 20


@pytest.mark.skipif(landlock_version() == 0, reason="this kernel has no Landlock")
async def test_a_process_that_was_taken_over_reaches_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        options = {"file": str(secret), "port": port}
        outside, _ = hostile.attempt(b"", options)
        inside, _ = await sandbox.run(hostile.attempt, b"", **options)
    assert set(outside["worked"]) >= {"read_parent_environment", "read_file", "write_file", "connect"}
    assert inside["worked"] == []


async def test_a_process_that_has_grown_is_replaced_and_one_that_has_not_is_kept() -> None:
    async with a_sandbox(growth_bytes=32 * MEGABYTE) as sandbox:
        small = [(await sandbox.run(hostile.keep, b"x" * MEGABYTE))[0]["calls"] for _ in range(5)]
        assert small == [1, 2, 3, 4, 5]
        large = [(await sandbox.run(hostile.keep, b"x" * 50 * MEGABYTE))[0]["calls"] for _ in range(3)]
        assert large == [6, 1, 1]


async def test_a_process_has_rehearsed_before_its_first_call_also_where_it_replaces_another() -> None:
    rehearsal = Rehearsal(hostile.keep, b"rehearsed")
    async with a_sandbox(rehearsal=rehearsal, calls_per_process=1) as sandbox:
        for _ in range(2):
            assert (await sandbox.run(hostile.keep, b"called"))[0]["calls"] == 2


async def test_a_rehearsal_that_is_refused_is_told_to_whoever_opens_the_sandbox() -> None:
    rehearsal = Rehearsal(hostile.refuse, b"", {"code": "model_missing", "sentence": "No weights."})
    with pytest.raises(Refused, match="model_missing"):
        async with a_sandbox(rehearsal=rehearsal):
            pytest.fail("it must not open")
