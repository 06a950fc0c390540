"""Stands in until the real module is here."""


def name(text: str) -> str:
    return " ".join(text.split())[:80]


def line(text: str, most: int) -> str:
    return " ".join(text.split())[:most]


def cleaned(text: str) -> str:
    return text


def block(text: str, most: int = 10**9) -> str:
    return "\n".join("> " + one for one in text.splitlines())
