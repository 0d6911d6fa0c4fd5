"""Settings of one country, from the environment and from files; read once, at the start."""
import os
from decimal import Decimal, InvalidOperation

RELEASE = os.environ.get("TOTEM_RELEASE", "tree")
SECRETS = "/run/secrets"


class Wrong(Exception):
    """A setting that cannot be used; the text names it and says why."""


def text(name, default=None):
    """A variable of the environment, without blanks around it."""
    value = os.environ.get(name, "").strip()
    if value:
        return value
    if default is None:
        raise Wrong(f"{name} is not set")
    return default


def number(name, default):
    """A variable that must be a number."""
    value = text(name, default)
    try:
        return Decimal(value)
    except InvalidOperation:
        raise Wrong(f'{name} is "{value}", which is no number') from None


def switch(name):
    """A variable that is on or off; off if it is not there."""
    return text(name, "off").lower() in ("on", "true", "yes", "1")


def secret(name):
    """A secret of this name, from its file."""
    path = f"{SECRETS}/{name}"
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().strip()
    except OSError as error:
        raise Wrong(f"{path}: {error.strerror}") from None


def features():
    """What this release can do; a newer one can do more."""
    numbers = RELEASE.split("-")[0].split(".")
    newer = len(numbers) == 3 and all(n.isdigit() for n in numbers) and (int(numbers[0]), int(numbers[1])) >= (1, 1)
    return {"map": newer, "einvoice": switch("EINVOICE")}
