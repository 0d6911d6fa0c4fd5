"""/opt/totem/settings.ini: what a release sets for the API. An unknown setting ends the program with code 78 (EX_CONFIG)."""
import difflib

KNOWN = {"page_size": 200, "statement_timeout": 5000, "licence_server": ""}
PATH = "/opt/totem/settings.ini"


class Unknown(Exception):
    """A setting nobody reads; the text is file, line and the nearest known name."""


def read(path=PATH):
    """The settings of the file over the defaults."""
    found = dict(KNOWN)
    with open(path, encoding="utf-8") as file:
        for line_number, line in enumerate(file, 1):
            line = line.split("#", 1)[0].strip()
            if not line or line.startswith("["):
                continue
            name, _, value = (part.strip() for part in line.partition("="))
            if name not in KNOWN:
                near = difflib.get_close_matches(name, KNOWN, 1)
                hint = f' (did you mean "{near[0]}"?)' if near else ""
                raise Unknown(f'{path}:{line_number}: unknown setting "{name}"{hint}')
            found[name] = int(value) if isinstance(KNOWN[name], int) else value
    return found
