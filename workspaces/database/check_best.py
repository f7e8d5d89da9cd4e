"""Are best.csv and report.md right? Works the answer out of shop.sql, without a database, by itself.

Exit status 0 if so. Runs in a clean sandbox, on a copy that the agent could not write.
"""


def rows(table):
    """The values of a table's rows, as texts."""
    start = f"INSERT INTO {table} VALUES ("
    with open("shop.sql") as script:
        lines = [line.strip() for line in script.read().splitlines()]
    return [
        [value.strip("'") for value in line[len(start) : -2].split(", ")]
        for line in lines
        if line.startswith(start)
    ]


names = {number: name for number, name, _ in rows("customers")}
cents = {number: int(price) for number, _, price in rows("products")}
buyers = {}
for number, customer, placed, status in rows("orders"):
    if placed.startswith("2026-10-") and status != "cancelled":
        buyers[number] = names[customer]
totals = {}
for order, product, pieces in rows("items"):
    if order in buyers:
        name = buyers[order]
        totals[name] = totals.get(name, 0) + int(pieces) * cents[product]
best = sorted(totals.items(), key=lambda pair: -pair[1])[:5]

with open("best.csv") as csv:
    found = [line.strip() for line in csv.read().splitlines() if line.strip()]
assert found == ["name,total"] + [f"{name},{total}" for name, total in best], f"best.csv holds {found}"

with open("report.md") as report:
    lines = [line.strip() for line in report.read().splitlines() if line.strip()]
for name, total in best:
    assert f"- {name}: {total / 100:.2f} EUR" in lines, f"report.md lacks the right line for {name}"

print(f"the five best of {len(totals)} customers are right, {best[0][0]} first")
