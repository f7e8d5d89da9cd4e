"""Are months.csv, chart.svg and summary.md right? Works the figures out again and measures the bars.

Exit status 0 if so. Runs in a clean sandbox, on a copy that the agent could not write.
"""

import csv
import re

revenue = {}
with open("sales.csv") as file:
    for row in csv.DictReader(file):
        month = row["date"][:7]
        revenue[month] = revenue.get(month, 0) + int(row["revenue"])
months = sorted(revenue)

with open("months.csv") as file:
    lines = [line.strip() for line in file.read().splitlines() if line.strip()]
assert lines == ["month,revenue"] + [f"{m},{revenue[m]}" for m in months], f"months.csv holds {lines}"

with open("chart.svg") as file:
    chart = file.read().strip()
size = re.match(r'<svg xmlns="http://www\.w3\.org/2000/svg" width="(\d+)" height="(\d+)">', chart)
assert size, "chart.svg doesn't begin as an SVG picture does"
assert chart.endswith("</svg>"), "chart.svg doesn't end as an SVG picture does"
width, height = int(size.group(1)), int(size.group(2))
assert 300 <= width <= 2000, f"chart.svg is {width} wide"
assert 200 <= height <= 2000, f"chart.svg is {height} high"
assert chart.count("<") == 2 + 12 + 2 * 12, "chart.svg holds something else than 12 bars and 12 labels"

bars = [
    [float(number) for number in found.groups()]
    for found in re.finditer(
        r'<rect x="([0-9.]+)" y="([0-9.]+)" width="([0-9.]+)" height="([0-9.]+)"[^<>]*/>', chart
    )
]
labels = re.findall(r"<text [^<>]*>([^<>]*)</text>", chart)
assert len(bars) == 12, f"chart.svg has {len(bars)} bars"
assert labels == months, f"chart.svg has the labels {labels}"
highest = max(revenue.values())
tallest = max(h for _, _, _, h in bars)
end = 0
for (x, y, w, h), month in zip(bars, months):
    assert x >= end, f"the bar of {month} overlaps the one before"
    assert x + w <= width, f"the bar of {month} leaves the picture"
    assert y >= 0, f"the bar of {month} leaves the picture"
    assert abs(y + h - bars[0][1] - bars[0][3]) <= 0.2, f"the bar of {month} stands on another line"
    assert y + h <= height, f"the bar of {month} leaves the picture"
    assert abs(h / tallest - revenue[month] / highest) < 0.005, f"the bar of {month} has the wrong height"
    end = x + w

best, weakest = max(months, key=lambda m: revenue[m]), min(months, key=lambda m: revenue[m])
with open("summary.md") as file:
    said = [line.strip() for line in file.read().splitlines()]
for line in (
    f"- Total: {sum(revenue.values())} EUR",
    f"- Best month: {best} with {revenue[best]} EUR",
    f"- Weakest month: {weakest} with {revenue[weakest]} EUR",
):
    assert line in said, f"summary.md lacks the line: {line}"

print(f"12 months, their bars are as high as they should be, {best} the highest")
