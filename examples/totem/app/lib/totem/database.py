"""One connection per piece of work: short, so that a database that was replaced is simply the next connection.

The client library is the image's: psycopg2 up to release 1.0, psycopg (3) from 1.1 on. Whoever needs its errors takes `Error` from here.
"""
import contextlib
import time

from totem import settings

try:
    import psycopg as library
    from psycopg.rows import dict_row
    ROWS = {"row_factory": dict_row}
    LIBPQ = library.pq.version()
except ImportError:
    import psycopg2 as library
    import psycopg2.extensions
    import psycopg2.extras
    ROWS = {"cursor_factory": psycopg2.extras.RealDictCursor}
    LIBPQ = psycopg2.extensions.libpq_version()

Error = library.Error
CLIENT = f"{library.__name__} {library.__version__.split()[0]}, libpq {LIBPQ // 10000}.{LIBPQ % 10000}"


def connect(patience=0):
    """A connection; waits up to `patience` seconds for a database that is still starting."""
    until = time.monotonic() + patience
    while True:
        try:
            return library.connect(
                host=settings.text("DB_HOST", "db"), dbname="totem", user="totem", password=settings.secret("db_password"),
                connect_timeout=3, application_name="totem", **ROWS,
            )
        except library.OperationalError:
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
