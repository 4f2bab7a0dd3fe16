"""Lists of numbers, as texts of options have them."""

from __future__ import annotations

import math


def read_numbers(text: str, option: str) -> tuple[float, ...]:
    """The numbers of `4,8,12` or `2/255,8/255`."""
    return tuple(_read(part, text, option) for part in text.split(","))


def read_whole_numbers(text: str, option: str) -> tuple[int, ...]:
    """The whole numbers of `1,3,5`."""
    numbers = read_numbers(text, option)
    if any(number != int(number) for number in numbers):
        raise ValueError(f"{option} must be whole numbers with commas between. Received: {option} {text}")
    return tuple(map(int, numbers))


def _read(part: str, text: str, option: str) -> float:
    above, _, below = part.partition("/")
    try:
        number = float(above) / (float(below) if below else 1.0)
    except (ValueError, ZeroDivisionError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(
            f"{option} must be numbers with commas between: 4,8 or 2/255,8/255. Received: {option} {text}"
        )
    return number
