"""A shopping basket: prices are whole cents."""


def total(items):
    """The sum of price times quantity over all items, each a (price, quantity)."""
    result = 0
    for price, quantity in items:
        result += price
    return result


def discount(cents, percent):
    """What is left of an amount after a discount, rounded to whole cents."""
    return round(cents - cents * percent)


def shipping(cents):
    """500 cents, and nothing for orders of 5000 cents and more."""
    if cents > 5000:
        return 0
    return 500


def to_pay(items, percent):
    """The total after the discount, with shipping."""
    reduced = discount(total(items), percent)
    return reduced + shipping(reduced)


def as_euros(cents):
    """Cents as a text: 1234 is '12.34'."""
    return f"{cents // 100}.{cents % 100:02d}"
