"""Answers that are large and need no key are sent a few at a time."""

import asyncio

import pytest

from disyre.errors import Unavailable
from service.sending_turns import SendingTurns


def test_the_third_waits_until_a_turn_ends() -> None:
    async def run() -> list[str]:
        turns, told, ends = SendingTurns(longest_s=60), list[str](), asyncio.Event()

        async def one(name: str) -> None:
            async with turns.turn():
                told.append(name)
                await ends.wait()

        tasks = [asyncio.create_task(one(name)) for name in "abc"]
        await asyncio.sleep(0.05)
        told.append("now")
        ends.set()
        await asyncio.gather(*tasks)
        return told

    assert asyncio.run(run()) == ["a", "b", "now", "c"]


def test_who_is_slow_keeps_nobody_waiting_for_long() -> None:
    async def run() -> None:
        turns = SendingTurns()
        async with turns.turn(), turns.turn(), turns.turn(), turns.turn(), turns.turn():
            pass
        async with turns.turn(), turns.turn():
            pass

    asyncio.run(asyncio.wait_for(run(), 10))


def test_one_too_many_who_wait_is_told_so() -> None:
    async def run() -> None:
        turns = SendingTurns(longest_s=60, most_waiting=1)

        async def wait() -> None:
            async with turns.turn():
                pass

        async with turns.turn(), turns.turn():
            waits = asyncio.create_task(wait())
            await asyncio.sleep(0)
            with pytest.raises(Unavailable):
                await wait()
        await waits

    asyncio.run(run())
