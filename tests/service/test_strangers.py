"""Who shows no key that there is, again and again."""

from service.strangers import Strangers


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def tries(strangers: Strangers, address: str, n: int) -> int:
    """How many of so many tries are let through."""
    return sum(strangers.take(address) is None for _ in range(n))


def test_who_goes_on_without_a_pause_gets_nothing_and_who_waits_is_let_through() -> None:
    clock = Clock()
    strangers = Strangers(clock_s=clock)

    assert tries(strangers, "192.0.2.1", 500) == 120
    for _ in range(100):
        clock.now_s += 0.1
        assert tries(strangers, "192.0.2.1", 1) == 0
    clock.now_s += 0.5
    assert tries(strangers, "192.0.2.1", 2) == 1


def test_only_the_first_refusal_in_a_row_is_one_to_be_written_down() -> None:
    clock = Clock()
    strangers = Strangers(clock_s=clock)
    tries(strangers, "192.0.2.1", 120)

    waits = [strangers.take("192.0.2.1") for _ in range(3)]

    assert [wait is not None and wait.is_first for wait in waits] == [True, False, False]


def test_addresses_do_not_count_for_each_other_but_those_of_one_subscriber_do() -> None:
    strangers = Strangers(clock_s=Clock())

    assert tries(strangers, "192.0.2.1", 200) == tries(strangers, "192.0.2.2", 200) == 120
    assert tries(strangers, "2001:db8::1", 100) == 100
    assert tries(strangers, "2001:db8::2", 100) == 20
    assert tries(strangers, "a socket of this machine", 200) == 120


def test_so_many_addresses_are_remembered_and_no_more() -> None:
    strangers = Strangers(clock_s=Clock())
    tries(strangers, "192.0.2.1", 120)

    for n in range(10_000):
        strangers.take(f"10.0.{n // 256}.{n % 256}")

    assert strangers.take("192.0.2.1") is None
