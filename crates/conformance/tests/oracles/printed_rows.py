"""Reads a printed page with `pypdf` and prints as JSON its sheets, and the rows that were cut.

A row of a table is whole when one sheet holds the text of all its cells.
"""

import json
import sys
import unicodedata
from html.parser import HTMLParser

from pypdf import PdfReader


def plain(text):
    """Letters alone, as the printer may set ligatures, bullets and any white space."""
    text = unicodedata.normalize("NFKC", text)
    return "".join(c for c in text if not c.isspace() and c != "\u2022")


class Rows(HTMLParser):
    """The cells of every row of every table."""

    def __init__(self):
        super().__init__()
        self.rows = []
        self.cell = None

    def handle_starttag(self, tag, attrs):
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th") and self.rows:
            self.cell = []

    def handle_endtag(self, tag):
        if tag in ("td", "th") and self.cell is not None:
            self.rows[-1].append(plain("".join(self.cell)))
            self.cell = None

    def handle_data(self, data):
        if self.cell is not None:
            self.cell.append(data)


reader = PdfReader(sys.argv[1])
sheets = [plain(page.extract_text()) for page in reader.pages]
rows = Rows()
with open(sys.argv[2], encoding="utf-8") as page:
    rows.feed(page.read())
cut = [row for row in rows.rows if not any(all(cell in sheet for cell in row) for sheet in sheets)]
box = reader.pages[0].mediabox
print(
    json.dumps(
        {
            "sheets": len(sheets),
            "size": [round(float(box.width)), round(float(box.height))],
            "rows": len(rows.rows),
            "cut": [" | ".join(row)[:300] for row in cut],
        }
    )
)
