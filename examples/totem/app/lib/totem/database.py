"""One connection per piece of work: short, so that a database that was replaced is simply the next connection."""
import contextlib
import time

import psycopg2
import psycopg2.extras

from totem import settings


def connect(patience=0):
    """A connection; waits up to `patience` seconds for a database that is still starting."""
    until = time.monotonic() + patience
    while True:
        try:
            return psycopg2.connect(
                host=settings.text("DB_HOST", "db"), dbname="totem", user="totem", password=settings.secret("db_password"),
                connect_timeout=3, cursor_factory=psycopg2.extras.RealDictCursor, application_name="totem",
            )
        except psycopg2.OperationalError:
            if time.monotonic() >= until:
                raise
            time.sleep(0.5)


@contextlib.contextmanager
def work(patience=0):
    """A cursor in a transaction of its own: committed at the end, rolled back by an exception."""
    connection = connect(patience)
    try:
        with connection, connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()
