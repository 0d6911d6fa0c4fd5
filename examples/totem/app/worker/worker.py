"""worker: does the work orders, one after the other: new → working → done. In countries with e-invoices it passes them on."""
import sys
import time

from totem import database, queue, settings, stopping


def do(identity):
    """One order, if it is still to do."""
    with database.work(patience=10) as cursor:
        cursor.execute("UPDATE orders SET status = 'working' WHERE id = %s AND status IN ('new', 'working') RETURNING number", (identity,))
        found = cursor.fetchone()
    if not found:
        return
    time.sleep(float(settings.number("WORK_SECONDS", "1.5")))
    with database.work(patience=10) as cursor:
        cursor.execute("UPDATE orders SET status = 'done', finished = now() WHERE id = %s", (identity,))
    print(f"{found['number']}: done")
    if settings.switch("EINVOICE"):
        queue.say(queue.INVOICES, identity)


def left():
    """Orders that nobody told about: the queue was away, or a worker was stopped in the middle."""
    with database.work(patience=10) as cursor:
        cursor.execute("SELECT id FROM orders WHERE status <> 'done' ORDER BY id")
        return [row["id"] for row in cursor.fetchall()]


def main():
    print(f"totem worker {settings.RELEASE}, instance {settings.text('INSTANCE', 'local')}")
    stopping.quickly()
    client = queue.bus()
    looked = 0.0
    while True:
        try:
            if time.monotonic() - looked > 15:
                for identity in left():
                    do(identity)
                looked = time.monotonic()
            identity = queue.wait(client, queue.ORDERS, 5)
            if identity is not None:
                do(identity)
        except database.Error as error:
            print(f"database: {str(error).strip().splitlines()[0]}")
            time.sleep(2)


if __name__ == "__main__":
    try:
        main()
    except settings.Wrong as error:
        print(f"error: {error}")
        sys.exit(78)
