"""Work handed from service to service through Redis. The database knows what is to do; the queue only says it sooner."""
import redis

from totem import settings

ORDERS = "totem:orders"
INVOICES = "totem:invoices"


def bus():
    """A client that reconnects by itself."""
    return redis.Redis(host=settings.text("CACHE_HOST", "cache"), socket_connect_timeout=2, socket_timeout=10, decode_responses=True)


def say(name, identity):
    """Tells whoever waits that there is work; silence is no failure, the worker looks at the database too."""
    try:
        bus().lpush(name, identity)
        return True
    except redis.RedisError as error:
        print(f"queue {name}: {error}; the worker finds order {identity} by itself")
        return False


def wait(client, name, seconds):
    """The next piece of work, or None after `seconds`."""
    try:
        found = client.brpop(name, timeout=seconds)
        return int(found[1]) if found else None
    except redis.RedisError as error:
        print(f"queue {name}: {error}")
        return None
