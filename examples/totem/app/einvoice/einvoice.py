"""einvoice: writes the e-invoice of every finished order (a small Facturae-like XML). Only some countries run it."""
import sys
import time
from xml.etree import ElementTree as xml

from totem import database, queue, settings, stopping

OPEN = 'SELECT o.*, t.name AS tenant_name, s.code FROM orders o JOIN tenants t ON t.id = o.tenant JOIN sites s ON s.id = o.site' \
       ' WHERE o.status = \'done\' AND NOT EXISTS (SELECT 1 FROM invoices i WHERE i."order" = o.id) ORDER BY o.id'


def document(order, number):
    """The invoice as XML."""
    root = xml.Element("Invoice", version="1.0")
    header = xml.SubElement(root, "Header")
    for name, value in (("Number", number), ("IssueDate", f"{order['finished']:%Y-%m-%d}"), ("Currency", settings.text("CURRENCY", "EUR"))):
        xml.SubElement(header, name).text = value
    parties = xml.SubElement(root, "Parties")
    xml.SubElement(parties, "Seller", country=settings.text("COUNTRY", "es").upper()).text = settings.text("COMPANY", "TOTEM")
    xml.SubElement(parties, "Buyer").text = order["tenant_name"]
    line = xml.SubElement(xml.SubElement(root, "Lines"), "Line", order=order["number"], site=order["code"])
    xml.SubElement(line, "Description").text = order["kind"]
    xml.SubElement(line, "Net").text = f"{order['net']:.2f}"
    xml.SubElement(line, "Tax", type="VAT", rate=f"{order['vat_rate']:.2f}").text = f"{order['vat']:.2f}"
    xml.SubElement(root, "Total").text = f"{order['gross']:.2f}"
    xml.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + xml.tostring(root, encoding="unicode") + "\n"


def write():
    """An invoice for every finished order that has none."""
    with database.work(patience=10) as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(7084)")
        cursor.execute(OPEN)
        for order in cursor.fetchall():
            number = f"F-{order['finished']:%Y}-{order['id']:05d}"
            cursor.execute('INSERT INTO invoices ("order", number, xml) VALUES (%s, %s, %s)', (order["id"], number, document(order, number)))
            print(f"{number}: written for {order['number']}")


def main():
    print(f"totem einvoice {settings.RELEASE}, instance {settings.text('INSTANCE', 'local')}")
    stopping.quickly()
    client = queue.bus()
    while True:
        try:
            write()
            queue.wait(client, queue.INVOICES, 5)
        except database.Error as error:
            print(f"database: {str(error).strip().splitlines()[0]}")
            time.sleep(2)


if __name__ == "__main__":
    try:
        main()
    except settings.Wrong as error:
        print(f"error: {error}")
        sys.exit(78)
