"""What a form alone cannot tell: is this address public, this check digit right, this text random?"""

import re
from collections.abc import Callable, Mapping
from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final

_STAY4: Final = tuple(
    IPv4Network(net)
    for net in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "224.0.0.0/3",
    )
)
"""This network, private, carriers' NAT, loopback, link-local, multicast and reserved (netmasks).  The networks for
examples (192.0.2.0/24 …) count as public: they stand for such."""

_PUBLIC6: Final = IPv6Network("2000::/3")

_PHONE_DIGITS: Final = range(8, 16)
"""Digits of a telephone number: E.164 allows 15; with fewer than 8 it is mostly another number (a judgement)."""

_RANDOM: Final = 20
"""Characters from which a word may count as random (a judgement): shorter keys are known by their names or forms."""

_RANDOM_PLAIN: Final = 24
"""The same for words of one case, which look random less often (a judgement)."""


def public_v4(text: str) -> bool:
    """Return whether others could reach, or know, whose address this is."""
    try:
        address = IPv4Address(text)
    except AddressValueError:
        return False
    return not any(address in net for net in _STAY4)


def public_v6(text: str) -> bool:
    """Return whether this is an IPv6 address of the part of the space that is given out."""
    try:
        return IPv6Address(text) in _PUBLIC6
    except AddressValueError:
        return False


def phone(text: str) -> bool:
    """Return whether there are as many digits as telephone numbers have."""
    return sum(map(str.isdigit, text)) in _PHONE_DIGITS


def luhn(text: str) -> bool:
    """Return whether the check digit of a payment card is right."""
    digits = [int(char) for char in reversed(text) if char.isdigit()]
    doubled = (digit * 2 - 9 * (digit > 4) for digit in digits[1::2])  # noqa: PLR2004 - 5 · 2 has two digits
    return len(set(digits)) > 1 and (sum(digits[::2]) + sum(doubled)) % 10 == 0


def iban(text: str) -> bool:
    """Return whether the check digits of a bank account are right (ISO 13616)."""
    plain = text.replace(" ", "")
    return int("".join(str(int(char, 36)) for char in plain[4:] + plain[:4])) % 97 == 1


CHECKS: Final[Mapping[str, Callable[[str], bool]]] = {
    "ipv4": public_v4,
    "ipv6": public_v6,
    "phone": phone,
    "card": luhn,
    "iban": iban,
}

_UPPER: Final = re.compile("[A-Z]")
_LOWER: Final = re.compile("[a-z]")
_DIGIT: Final = re.compile("[0-9]")
_BEYOND_HEX: Final = re.compile("[G-Zg-z]")
_CHANGES: Final = re.compile("(?<=[a-z])[A-Z0-9]|(?<=[A-Z])[a-z0-9]|(?<=[0-9])[A-Za-z]")
_PLAIN: Final = re.compile("(?:[a-z0-9]+|[A-Z0-9]+)")


def looks_random(text: str) -> bool:
    """Return whether a word of letters, digits and ``+/_-`` is rather drawn by chance than written by a person.

    Names change between small letters, capitals and digits rarely (NoValidHost2, iSCSI), random ones at almost two of
    three steps.  Hexadecimal words are never random here: digests and ids of requests are evidence.
    """
    if len(text) < _RANDOM or _DIGIT.search(text) is None or _BEYOND_HEX.search(text) is None:
        return False
    changes = len(_CHANGES.findall(text))
    if _UPPER.search(text) and _LOWER.search(text):
        return changes >= 0.4 * len(text)
    return len(text) >= _RANDOM_PLAIN and _PLAIN.fullmatch(text) is not None and changes >= 0.25 * len(text)
