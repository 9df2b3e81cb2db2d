"""Compares the header of a delivered file with the contract of its feed."""

import csv
from collections import namedtuple

COLUMNS = {
    "branches": ["branch_id", "location", "establish_date", "class"],
    "sales_agents": ["sales_person_id", "name", "hire_date"],
    "sales_transactions": [
        "transaction_date", "transaction_id", "customer_id", "customer_fname", "customer_lname", "customer_email",
        "sales_agent_id", "branch_id", "product_id", "product_name", "product_category",
        "offer_1", "offer_2", "offer_3", "offer_4", "offer_5",
        "units", "unit_price", "is_online", "payment_method", "shipping_address",
    ],
}  # fmt: skip

# Spellings seen in delivered files. Others are matched when they are a slip of at most two letters.
KNOWN_SPELLINGS = {
    "cusomter_id": "customer_id",
    "cusomter_fname": "customer_fname",
    "cusomter_lname": "customer_lname",
    "cusomter_email": "customer_email",
}
# One slip is forgiven for every five letters, up to two.
LETTERS_PER_SLIP = 5
MOST_SLIPS = 2

# `positions`: contract column → index in the file. `width`: fields the header has. `drift`: what differs, for people.
# `problems` is not empty where the file cannot be read by this header; each is a reason.
Header = namedtuple("Header", "positions width drift problems")


def read_header(line, feed):
    """Maps a header line (without byte order mark and line end) to the feed's columns by name."""
    wanted = COLUMNS[feed]
    try:
        cells = next(csv.reader([line], strict=True), [])
    except csv.Error:
        return Header({}, 0, {}, ["header_unreadable"])
    names = [normalized(cell) for cell in cells]
    positions, renamed, repeated = match(names, wanted)
    missing = [column for column in wanted if column not in positions]
    problems = [f"missing_column:{column}" for column in missing] + [f"repeated_column:{column}" for column in repeated]
    drift = {
        "renamed": renamed,
        "added": [name for index, name in enumerate(names) if name and index not in positions.values()],
        "blank": names.count(""),
        "reordered": [positions[column] for column in wanted if column in positions]
        != sorted(positions.values()),
    }  # fmt: skip
    return Header(positions, len(names), {key: value for key, value in drift.items() if value}, problems)


def normalized(cell):
    """A column name without the differences that never mean anything."""
    return cell.strip(" \t\u00a0\ufeff").lower().replace(" ", "_").replace("-", "_")


def match(names, wanted):
    """Exact names first, then known spellings, then slips of the pen among what is left on both sides."""
    positions, renamed, repeated = {}, {}, []
    for index, name in enumerate(names):
        if name not in wanted:
            continue
        if name in positions:
            repeated.append(name)
        else:
            positions[name] = index
    for index, name in enumerate(names):
        column = KNOWN_SPELLINGS.get(name)
        if column in wanted and column not in positions:
            positions[column], renamed[name] = index, column
    for index, name in enumerate(names):
        if index in positions.values() or name in wanted:
            continue
        column = nearest(name, [column for column in wanted if column not in positions])
        if column:
            positions[column], renamed[name] = index, column
    return positions, renamed, repeated


def nearest(name, candidates):
    """The one candidate that `name` is most probably a misspelling of, or None. Digits must agree: offer_6 is not offer_5."""
    allowed = min(MOST_SLIPS, len(name) // LETTERS_PER_SLIP)
    digits = [letter for letter in name if letter.isdigit()]
    ranked = sorted(
        (slips(name, column), column)
        for column in candidates
        if [letter for letter in column if letter.isdigit()] == digits
    )
    if not ranked or ranked[0][0] > allowed:
        return None
    return None if len(ranked) > 1 and ranked[1][0] == ranked[0][0] else ranked[0][1]


def slips(left, right):
    """Edit distance where swapping two neighbours counts once."""
    before, previous = None, list(range(len(right) + 1))
    for row, letter in enumerate(left, 1):
        current = [row]
        for column, other in enumerate(right, 1):
            cost = min(previous[column] + 1, current[column - 1] + 1, previous[column - 1] + (letter != other))
            if row > 1 and column > 1 and letter == right[column - 2] and left[row - 2] == other:
                cost = min(cost, before[column - 2] + 1)
            current.append(cost)
        before, previous = previous, current
    return previous[-1]
