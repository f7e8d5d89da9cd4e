"""Makes the papers of an invented ferry company, and pages.json: what `documents` reads on each page.

Run by hand, with autoagent[dev] installed: python workspaces/document-questions/make_papers.py
"""

import json
import os
from datetime import datetime

import docx
import openpyxl
from reportlab.lib.pagesizes import A5
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.platypus import PageBreak, Paragraph, SimpleDocTemplate, Spacer

from autoagent_documents.pages import kind_of
from autoagent_documents.worker import opened

HERE = os.path.dirname(os.path.abspath(__file__))
THEN = datetime(2026, 11, 2, 9, 0)

HANDBOOK = [
    """# Norhaven Ferries
    Staff handbook, edition of January 2026
    This handbook holds for all employees of Norhaven Ferries, on board and ashore. Where a ship's master
    has given an order that differs from it, the order holds until the ship is in port.
    Contents: working hours (page 2), leave (page 3), travel and expenses (page 4), safety on board (page
    5).""",
    """# Working hours
    A shift on board lasts at most twelve hours. Between two shifts there are at least ten hours of rest, of
    which six are without a break.
    Ashore the week has thirty-eight hours. Overtime is agreed on beforehand with the head of the department
    and is taken as time off within three months.
    Who works on a public holiday gets a day off in the same quarter.""",
    """# Leave
    In the first year of employment there are 26 days of paid leave. From the sixth year on there are 30
    days.
    Leave that isn't taken by the end of March of the following year lapses, unless the company itself was
    the reason why it could not be taken.
    Requests are handed in six weeks ahead from May to August, and two weeks ahead in all other
    months. Between 20 December and 6 January a ship's crew can't be smaller than its safe manning
    certificate says.
    Sick days during leave are given back where a doctor's note is there on the third day.""",
    """# Travel and expenses
    Journeys by rail are second class; above four hours first class is paid. Flights need the consent of the
    director.
    Meals on a journey are paid with 34 euros a day, and half of that on the days of departure and return.
    Receipts are handed in within thirty days. What comes later isn't paid.
    A private car is paid with 0.30 euros a kilometre, up to 200 kilometres a day.""",
    """# Safety on board
    Man overboard: throw a lifebuoy, keep pointing at the person, and call the bridge on channel 8. The
    bridge alone alerts the coast guard.
    Fire: press the nearest alarm, close the doors behind you, and go to your muster station. Nobody goes
    back for belongings.
    A drill takes place every second Tuesday before the first sailing. Who misses two drills in a row
    doesn't sail.""",
]
TARIFF = [
    """# Fares 2026: passengers
    Single journey between Norhaven and Skerry: adults 14.20 euros, children from 4 to 15 years 7.10 euros,
    younger ones travel free.
    A book of ten journeys costs 113 euros and is valid for two years.
    Residents of Skerry travel at half the fare with their island card.""",
    """# Fares 2026: vehicles
    Bicycles 4.50 euros. Motorcycles 12 euros. Cars up to 5 metres 38 euros, each further metre 9 euros.
    Driver and passengers pay their own fares. Vans above 3.5 tonnes need a booking by telephone.
    Vehicles are on the quay 30 minutes before departure; later ones lose their booking.""",
    """# Conditions
    A booking can be changed free of charge until 24 hours before departure. Until two hours before
    departure half of the fare is given back, later nothing.
    If we cancel a sailing because of weather, you may travel on another day within 60 days, or have the
    whole fare back. Claims are made within 14 days at claims@norhaven.example.
    Pets travel free, on a lead, on the outer deck.""",
]
MINUTES = [
    "# Board meeting of 2 November 2026",
    "Present: I. Aune (chair), T. Brekke, S. Dahl, M. Osei. Apologies: R. Lind.",
    "# Report of the technical department",
    "M. Osei reports that the port main engine of the Alba used 40 litres of oil a day in October, four "
    "times as much as in spring. The maker offers a repair for 310,000 euros or a new engine for 940,000 "
    "euros.",
    "T. Brekke recalls that until 2025 there were 24 days of leave, and that the change has cost 52,000 "
    "euros.",
    "# Decisions",
    "The board decides by three votes to one to have the port main engine of the Alba repaired in January "
    "2027, at a cost of at most 310,000 euros. The ship will be out of service for 19 days.",
    "The Skua takes over the sailings of the Alba in that time.",
    "The purchase of an electric ferry is postponed to the meeting in May.",
    [
        ["Task", "Who", "Until"],
        ["Order the repair", "M. Osei", "20 November"],
        ["Tell the islands", "S. Dahl", "1 December"],
    ],
    "# Other business",
    "The next meeting takes place on 8 February 2027 in Skerry.",
]
FLEET = {
    "Ships": [
        ("Ship", "Built", "Passengers", "Cars", "Knots"),
        ("Alba", 1998, 420, 64, 16),
        ("Fulmar", 2011, 250, 30, 18),
        ("Skua", 2006, 310, 48, 17),
        ("Tern", 2019, 96, 0, 28),
    ],
    "Maintenance": [
        ("Ship", "Dry dock", "Cost in euros"),
        ("Alba", "2024-03", 412000),
        ("Fulmar", "2025-10", 198500),
        ("Skua", "2026-02", 267300),
        ("Tern", "2026-04", 84100),
    ],
}
TIMETABLE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Timetable, winter 2026/27</title></head>
<body><nav>Home | Fares | Timetable</nav>
<h1>Timetable, winter 2026/27</h1>
<p>Valid from 26 October 2026 to 28 March 2027. The crossing takes 55 minutes.</p>
<h2>Monday to Saturday</h2>
<table><tr><th>from Norhaven</th><td>06:30</td><td>10:15</td><td>14:30</td><td>18:45</td></tr>
<tr><th>from Skerry</th><td>08:00</td><td>12:00</td><td>16:15</td><td>20:15</td></tr></table>
<h2>Sundays and public holidays</h2>
<table><tr><th>from Norhaven</th><td>09:00</td><td>13:00</td><td>17:20</td></tr>
<tr><th>from Skerry</th><td>10:45</td><td>14:45</td><td>19:05</td></tr></table>
<p>On 25 December and 1 January no ship sails.</p>
<h2>High water</h2>
<p>At spring tides the sailing of 14:30 leaves 20 minutes later. Look at the board on the quay.</p>
</body></html>
"""


def pdf(path: str, pages: list[str], title: str) -> None:
    styles = getSampleStyleSheet()
    story = []
    for page in pages:
        heading, *paragraphs = page.split("\n    ")
        story += [Paragraph(heading.removeprefix("# "), styles["Heading1"]), Spacer(1, 8)]
        for text in _paragraphs(paragraphs):
            story += [Paragraph(text, styles["BodyText"]), Spacer(1, 4)]
        story.append(PageBreak())
    SimpleDocTemplate(path, pagesize=A5, title=title, author="Norhaven Ferries", invariant=True).build(story)


def _paragraphs(lines: list[str]) -> list[str]:
    """Lines joined to paragraphs: one ends where a line ends with a full stop."""
    found = [""]
    for line in lines:
        found[-1] = f"{found[-1]} {line}".strip()
        if line.endswith((".", "2026")):
            found.append("")
    return [text for text in found if text]


def word(path: str, blocks: list) -> None:
    document = docx.Document()
    document.core_properties.created = document.core_properties.modified = THEN
    for block in blocks:
        if isinstance(block, list):
            table = document.add_table(rows=0, cols=len(block[0]))
            for row in block:
                for cell, text in zip(table.add_row().cells, row, strict=True):
                    cell.text = text
        elif block.startswith("# "):
            document.add_heading(block[2:], level=1)
        else:
            document.add_paragraph(block)
    document.save(path)


def excel(path: str, sheets: dict) -> None:
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)


def main() -> None:
    papers = os.path.join(HERE, "papers")
    os.makedirs(papers, exist_ok=True)
    pdf(os.path.join(papers, "handbook.pdf"), HANDBOOK, "Staff handbook")
    pdf(os.path.join(papers, "tariff.pdf"), TARIFF, "Fares 2026")
    word(os.path.join(papers, "minutes.docx"), MINUTES)
    excel(os.path.join(papers, "fleet.xlsx"), FLEET)
    with open(os.path.join(papers, "timetable.html"), "w", encoding="utf-8") as file:
        file.write(TIMETABLE)
    pages = {}
    for name in sorted(os.listdir(papers)):
        with open(os.path.join(papers, name), "rb") as file:
            document = opened(kind_of(name), file.read())
        found = [document.page(index) for index in range(document.total)]
        pages[name] = {page.name: page.text for page in found}
    with open(os.path.join(HERE, "pages.json"), "w", encoding="utf-8") as file:
        json.dump(pages, file, indent=1, ensure_ascii=False)
        file.write("\n")


if __name__ == "__main__":
    main()
