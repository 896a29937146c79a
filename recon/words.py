"""Small words for people."""


def counted(number: int, noun: str) -> str:
    """Write a number before what is counted, such as 1 view or 1,200 views."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
