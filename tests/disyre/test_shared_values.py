"""Values that many images have in common are one object; where there are too many, they are not."""

from disyre.shared_values import SharedValues


def test_what_comes_after_very_many_values_is_given_back_as_it_came() -> None:
    shared = SharedValues()
    first = shared.of("place", str(12345))
    for number in range(2000):
        shared.of("place", str(number))

    late = str(54321)
    assert shared.of("place", late) is late
    assert shared.of("place", str(54321)) is not late
    assert shared.of("place", str(12345)) is first
