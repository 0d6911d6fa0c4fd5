"""migrate: brings the schema to this release and puts a country's first data in. Runs to its end, any number of times."""
import json
import sys
from decimal import ROUND_HALF_UP, Decimal

from totem import database, settings

STEPS = [
    ("0001 sites, tenants, orders", """
        CREATE TABLE sites (
            id serial PRIMARY KEY, code text UNIQUE NOT NULL, name text NOT NULL, town text NOT NULL, kind text NOT NULL,
            height numeric(5,1) NOT NULL, latitude numeric(8,5) NOT NULL, longitude numeric(8,5) NOT NULL, since date NOT NULL);
        CREATE TABLE tenants (id serial PRIMARY KEY, name text UNIQUE NOT NULL, colour text NOT NULL);
        CREATE TABLE hostings (
            site integer REFERENCES sites, tenant integer REFERENCES tenants, technology text NOT NULL,
            PRIMARY KEY (site, tenant));
        CREATE TABLE orders (
            id serial PRIMARY KEY, number text UNIQUE, site integer NOT NULL REFERENCES sites, tenant integer NOT NULL REFERENCES tenants,
            kind text NOT NULL, note text NOT NULL DEFAULT '', net numeric(12,2) NOT NULL, vat_rate numeric(5,2) NOT NULL,
            vat numeric(12,2) NOT NULL, gross numeric(12,2) NOT NULL, status text NOT NULL DEFAULT 'new',
            created timestamptz NOT NULL DEFAULT now(), finished timestamptz);
        CREATE TABLE invoices (
            "order" integer PRIMARY KEY REFERENCES orders, number text UNIQUE NOT NULL, xml text NOT NULL,
            created timestamptz NOT NULL DEFAULT now());
    """, None),
    ("0002 the map: regions", "ALTER TABLE sites ADD COLUMN region text NOT NULL DEFAULT ''", "map"),
]


def seed(cursor, country):
    """The country's towers, tenants and a few finished orders; nothing if there are towers already."""
    cursor.execute("SELECT count(*) AS n FROM sites")
    if cursor.fetchone()["n"]:
        return 0
    with open("/opt/totem/seed.json", encoding="utf-8") as file:
        data = json.load(file)[country]
    tenants = {}
    for name, colour in data["tenants"]:
        cursor.execute("INSERT INTO tenants (name, colour) VALUES (%s, %s) RETURNING id", (name, colour))
        tenants[name] = cursor.fetchone()["id"]
    names = list(tenants)
    for index, (town, name, kind, height, latitude, longitude, since) in enumerate(data["sites"]):
        cursor.execute(
            "INSERT INTO sites (code, name, town, kind, height, latitude, longitude, since) VALUES (%s,%s,%s,%s,%s,%s,%s,%s) RETURNING id",
            (f"{country.upper()}-{index + 101}", name, town, kind, height, latitude, longitude, since))
        site = cursor.fetchone()["id"]
        for offset in range(1 + (index * 7) % len(names)):
            tenant = names[(index + offset) % len(names)]
            cursor.execute("INSERT INTO hostings VALUES (%s, %s, %s)", (site, tenants[tenant], ("5G", "4G", "FM", "IoT")[(index + offset) % 4]))
    rate = settings.number("VAT_RATE", "0")
    for index, (kind, net, days) in enumerate(data["orders"]):
        net = Decimal(str(net))
        vat = (net * rate / 100).quantize(Decimal("0.01"), ROUND_HALF_UP)
        cursor.execute("SELECT site, tenant FROM hostings ORDER BY (site * 7 + tenant * 5) %% 23, site LIMIT 1 OFFSET %s", (index * 4,))
        hosting = cursor.fetchone()
        cursor.execute(
            "INSERT INTO orders (site, tenant, kind, net, vat_rate, vat, gross, status, created, finished) VALUES (%s, %s, %s, %s, %s, %s, %s,"
            " 'done', now() - %s * interval '1 day', now() - %s * interval '1 day' + interval '3 hours') RETURNING id",
            (hosting["site"], hosting["tenant"], kind, net, rate, vat, net + vat, days, days))
        identity = cursor.fetchone()["id"]
        cursor.execute("UPDATE orders SET number = %s WHERE id = %s", (f"{country.upper()}-{identity:05d}", identity))
    return len(data["sites"])


def main():
    country = settings.text("COUNTRY", "fr")
    print(f"totem migrate {settings.RELEASE}, country {country}")
    with database.work(patience=30) as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(7083)")
        cursor.execute("CREATE TABLE IF NOT EXISTS migrations (name text PRIMARY KEY, done timestamptz NOT NULL DEFAULT now())")
        for name, statement, feature in STEPS:
            if feature and not settings.features()[feature]:
                continue
            cursor.execute("SELECT 1 FROM migrations WHERE name = %s", (name,))
            if cursor.fetchone():
                print(f"{name}: there")
                continue
            cursor.execute(statement)
            cursor.execute("INSERT INTO migrations (name) VALUES (%s)", (name,))
            print(f"{name}: done")
        print(f"first data: {seed(cursor, country)} sites added")


if __name__ == "__main__":
    try:
        main()
    except settings.Wrong as error:
        print(f"error: {error}")
        sys.exit(78)
