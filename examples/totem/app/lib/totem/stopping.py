"""Stopping at once when asked to: SIGTERM becomes SystemExit, which runs every `finally`."""
import signal
import sys


def quickly():
    """From here on SIGTERM and SIGINT end the process in an orderly way, with code 0."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
