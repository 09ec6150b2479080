"""Numbers as they are written for people: with as many digits as mean something, and no noise of float32."""

from typing import Annotated, TypeAlias

from pydantic import PlainSerializer


def five_digits(value: float) -> float:
    """Round to five significant digits.

    >>> five_digits(0.699999988079071), five_digits(123456.7)
    (0.7, 123460.0)
    """
    return float(f"{value:.5g}")


def four_digits(value: float) -> float:
    """Round to four significant digits: what a person reads in a report.

    >>> four_digits(121.068001289133), four_digits(0.24385399291777)
    (121.1, 0.2439)
    """
    return float(f"{value:.4g}")


def six_decimals(value: float) -> float:
    """Round to a millionth, without a negative 0.

    >>> six_decimals(-90.699999988), six_decimals(-1e-9)
    (-90.7, 0.0)
    """
    return round(value, 6) + 0.0


def three_decimals(value: float) -> float:
    """Round to a thousandth.

    >>> three_decimals(121.02199999999999)
    121.022
    """
    return round(value, 3)


Number: TypeAlias = Annotated[float, PlainSerializer(five_digits)]
"""Written with five significant digits."""
Coordinate: TypeAlias = Annotated[float, PlainSerializer(six_decimals)]
"""Written with six decimals: an entry of an affine, in mm."""
Seconds: TypeAlias = Annotated[float, PlainSerializer(three_decimals)]
"""Written to the millisecond: an estimate is no better."""
PerAxis: TypeAlias = tuple[Number, Number, Number]
"""A number for each axis of a scan or of the world."""
