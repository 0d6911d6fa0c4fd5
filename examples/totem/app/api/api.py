"""api: what the front asks for. JSON over HTTP on port 8000; PostgreSQL holds the data, Redis carries orders to the worker."""
import datetime
import decimal
import json
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import tuning
from totem import database, queue, settings, stopping

KINDS = ("maintenance", "antenna", "power", "inspection", "painting")
NOTICE = "/etc/totem/legal-notice.txt"


class Refused(Exception):
    """A request that cannot be served: status and one sentence."""

    def __init__(self, status, sentence):
        super().__init__(sentence)
        self.status = status


def plain(value):
    """Dates and amounts as JSON spells them."""
    if isinstance(value, decimal.Decimal):
        return float(value)
    if isinstance(value, (datetime.date, datetime.datetime)):
        return value.isoformat()
    raise TypeError(type(value).__name__)


def config():
    """Everything in which one country differs from another; the front has no texts of its own for these."""
    try:
        with open(NOTICE, encoding="utf-8") as file:
            notice = file.read().strip()
    except OSError:
        notice = ""
    return {
        "release": settings.RELEASE, "instance": settings.text("INSTANCE", "local"), "environment": settings.text("ENVIRONMENT", "local"),
        "country": settings.text("COUNTRY", "fr"), "language": settings.text("LANGUAGE", "fr"), "currency": settings.text("CURRENCY", "EUR"),
        "vat_rate": settings.number("VAT_RATE", "20"), "company": settings.text("COMPANY", "TOTEM"), "domain": settings.text("DOMAIN", "localhost"),
        "legal_notice": notice, "features": settings.features(), "client": database.CLIENT,
    }


def summary():
    with database.work() as cursor:
        cursor.execute("""
            SELECT (SELECT count(*) FROM sites) AS sites, (SELECT count(*) FROM tenants) AS tenants, (SELECT count(*) FROM hostings) AS hostings,
                   (SELECT count(*) FROM orders WHERE status <> 'done') AS open, (SELECT count(*) FROM orders) AS orders,
                   (SELECT coalesce(sum(net), 0) FROM orders) AS net, (SELECT count(*) FROM invoices) AS invoices""")
        return cursor.fetchone()


def sites():
    with database.work() as cursor:
        cursor.execute("""
            SELECT s.id, s.code, s.name, s.town, s.kind, s.height, s.latitude, s.longitude, s.since,
                   coalesce(json_agg(json_build_object('id', t.id, 'name', t.name, 'colour', t.colour, 'technology', h.technology) ORDER BY t.name)
                            FILTER (WHERE t.id IS NOT NULL), '[]') AS tenants
            FROM sites s LEFT JOIN hostings h ON h.site = s.id LEFT JOIN tenants t ON t.id = h.tenant
            GROUP BY s.id ORDER BY s.code""")
        return cursor.fetchall()


def orders():
    with database.work() as cursor:
        cursor.execute("""
            SELECT o.id, o.number, s.code AS site, s.name AS site_name, t.name AS tenant, o.kind, o.note, o.net, o.vat_rate, o.vat, o.gross,
                   o.status, o.created, o.finished, i.number AS invoice
            FROM orders o JOIN sites s ON s.id = o.site JOIN tenants t ON t.id = o.tenant LEFT JOIN invoices i ON i."order" = o.id
            ORDER BY o.id DESC LIMIT %s""", (TUNING["page_size"],))
        return cursor.fetchall()


def order(body):
    """A new work order: VAT by the country's rate, then handed to the worker."""
    try:
        site, tenant = int(body["site"]), int(body["tenant"])
        net = decimal.Decimal(str(body["net"])).quantize(decimal.Decimal("0.01"), decimal.ROUND_HALF_UP)
    except (KeyError, TypeError, ValueError, decimal.InvalidOperation):
        raise Refused(400, "an order needs site, tenant and net") from None
    kind, note = str(body.get("kind", "")), str(body.get("note", ""))[:400]
    if kind not in KINDS:
        raise Refused(400, f"kind is one of {', '.join(KINDS)}")
    if not 0 < net <= 10_000_000:
        raise Refused(400, "net is more than 0 and at most 10,000,000")
    rate = settings.number("VAT_RATE", "20")
    vat = (net * rate / 100).quantize(decimal.Decimal("0.01"), decimal.ROUND_HALF_UP)
    with database.work() as cursor:
        cursor.execute("SELECT 1 FROM hostings WHERE site = %s AND tenant = %s", (site, tenant))
        if not cursor.fetchone():
            raise Refused(400, "this tenant has nothing on this site")
        cursor.execute(
            "INSERT INTO orders (site, tenant, kind, note, net, vat_rate, vat, gross) VALUES (%s,%s,%s,%s,%s,%s,%s,%s) RETURNING id",
            (site, tenant, kind, note, net, rate, vat, net + vat))
        identity = cursor.fetchone()["id"]
        number = f"{settings.text('COUNTRY', 'fr').upper()}-{identity:05d}"
        cursor.execute("UPDATE orders SET number = %s WHERE id = %s", (number, identity))
    queue.say(queue.ORDERS, identity)
    return {"id": identity, "number": number, "net": net, "vat_rate": rate, "vat": vat, "gross": net + vat, "status": "new"}


def invoices():
    if not settings.features()["einvoice"]:
        raise Refused(404, "there are no e-invoices in this country")
    with database.work() as cursor:
        cursor.execute("""
            SELECT i.number, o.number AS "order", t.name AS tenant, o.gross, i.created
            FROM invoices i JOIN orders o ON o.id = i."order" JOIN tenants t ON t.id = o.tenant ORDER BY i."order" DESC""")
        return cursor.fetchall()


def invoice(number):
    with database.work() as cursor:
        cursor.execute("SELECT xml FROM invoices WHERE number = %s", (number,))
        found = cursor.fetchone()
    if not found:
        raise Refused(404, f"there is no invoice {number}")
    return found["xml"]


def healthy():
    """Whether this release can serve: its database answers, and so does what it was told to wait for."""
    if TUNING["licence_server"]:
        raise Refused(503, f"waiting for the licence server {TUNING['licence_server']}")
    with database.work() as cursor:
        cursor.execute("SELECT count(*) AS n FROM sites")
        return {"status": "ok", "release": settings.RELEASE, "sites": cursor.fetchone()["n"]}


READ = {"/healthz": healthy, "/api/config": config, "/api/summary": summary, "/api/sites": sites, "/api/orders": orders, "/api/einvoice": invoices}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "totem"
    sys_version = ""
    timeout = 30

    def answer(self, status, body, kind="application/json"):
        data = body.encode() if isinstance(body, str) else json.dumps(body, default=plain, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        try:
            self.end_headers()
            self.wfile.write(data)
        except ConnectionError:
            self.close_connection = True  # whoever asked is gone

    def serve(self, act):
        try:
            act()
        except Refused as error:
            if self.path != "/healthz" or TUNING["licence_server"]:
                print(f"{self.command} {self.path}: {error.status} {error}")
            self.answer(error.status, {"error": str(error)})
        except (database.Error, settings.Wrong) as error:
            sentence = str(error).strip().splitlines()[0]
            print(f"{self.command} {self.path}: {sentence}")
            self.answer(503, {"error": "the database does not answer"})

    def do_GET(self):
        path = self.path.split("?", 1)[0]
        found = re.fullmatch(r"/api/einvoice/([A-Z0-9-]{1,40})\.xml", path)
        if found:
            self.serve(lambda: self.answer(200, invoice(found[1]), "application/xml"))
        elif path in READ:
            self.serve(lambda: self.answer(200, READ[path]()))
        else:
            self.answer(404, {"error": f"nothing is at {path}"})

    def do_POST(self):
        def act():
            if self.path != "/api/orders":
                raise Refused(404, "orders are sent to /api/orders")
            length = int(self.headers.get("Content-Length") or 0)
            if length > 65536:
                raise Refused(413, "an order is at most 64 kB")
            try:
                body = json.loads(self.rfile.read(length))
            except ValueError:
                raise Refused(400, "the order is not JSON") from None
            if not isinstance(body, dict):
                raise Refused(400, "an order is a JSON object")
            self.answer(201, order(body))
        self.serve(act)

    def log_message(self, *_):
        """Only what went wrong is written."""


def main():
    print(f"totem api {settings.RELEASE}, instance {settings.text('INSTANCE', 'local')}")
    print(f"reading {tuning.PATH}")
    global TUNING
    TUNING = tuning.read()
    settings.secret("db_password")
    settings.number("VAT_RATE", "20")
    server = ThreadingHTTPServer(("0.0.0.0", 8000), Handler)
    server.daemon_threads = True
    stopping.quickly()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print("listening on port 8000")
    threading.Event().wait()


TUNING = dict(tuning.KNOWN)

if __name__ == "__main__":
    try:
        main()
    except (tuning.Unknown, settings.Wrong) as error:
        print(f"error: {error}")
        sys.exit(78)
