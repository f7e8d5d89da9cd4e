"""Does basket.py do what its docstrings say? Prints each case that fails.

Exit status 0 if none does. Runs in a clean sandbox, on a copy that the agent could not write.
"""

with open("basket.py") as source:
    exec(source.read())

CASES = [
    ("total([])", 0),
    ("total([(250, 1)])", 250),
    ("total([(250, 2), (100, 3)])", 800),
    ("discount(1000, 0)", 1000),
    ("discount(1000, 10)", 900),
    ("discount(999, 50)", 500),
    ("discount(2500, 100)", 0),
    ("shipping(0)", 500),
    ("shipping(4999)", 500),
    ("shipping(5000)", 0),
    ("shipping(5001)", 0),
    ("to_pay([(3000, 2)], 10)", 5400),
    ("to_pay([(3000, 2)], 20)", 5300),
    ("as_euros(1234)", "12.34"),
    ("as_euros(7)", "0.07"),
]

failed = 0
for expression, expected in CASES:
    found = eval(expression)
    if found != expected:
        failed += 1
        print(f"{expression} is {found!r}, and should be {expected!r}")

assert failed == 0, f"{failed} of {len(CASES)} cases fail"
print(f"all {len(CASES)} cases pass")
