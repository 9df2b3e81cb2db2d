"""What a valid row of each feed is: typed columns, and the reasons that make a row a bad one."""

from pyspark.sql import functions as F

from .header import COLUMNS

OFFERS = [f"offer_{number}" for number in range(1, 6)]
BLANKS = " \t\u00a0\r"
# Junk may follow the first `.com`; an e-mail without one is kept as it is.
EMAIL = r"^(.*?\.com|.*)"
EARLIEST_YEAR, LATEST_YEAR = 1900, 2100
LARGEST_TOTAL = "9999999999.99"


def text(header, column):
    """A field as trimmed text; null where it is blank or the line ends before it."""
    field = F.btrim(F.get("fields", F.lit(header.positions[column])), F.lit(BLANKS))
    return F.nullif(field, F.lit(""))


def reason(condition, name):
    """`name` where the condition holds, null where it does not or cannot be told."""
    return F.when(condition, F.lit(name))


def date(value):
    """A day, month and day with or without leading zero; null for anything else, also for a day no calendar has."""
    day = F.when(value.rlike(r"^\d{4}-\d{1,2}-\d{1,2}$"), value.try_cast("date"))
    return F.when(F.year(day).between(EARLIEST_YEAR, LATEST_YEAR), day)


def date_reason(value, column):
    """Why a delivered day is not one."""
    return reason(value.isNotNull() & date(value).isNull(), f"invalid_{column}")


def is_negative(value):
    """Whether a text is a number below zero."""
    return value.rlike(r"^-\d+(\.\d+)?$")


def branches(header):
    """Typed columns and reasons of a branch."""
    id, established = text(header, "branch_id"), text(header, "establish_date")
    columns = {
        "branch_id": id,
        "location": text(header, "location"),
        "establish_date": date(established),
        "class": text(header, "class"),
    }
    return columns, [reason(id.isNull(), "missing_branch_id"), date_reason(established, "establish_date")]


def sales_agents(header):
    """Typed columns and reasons of a sales agent."""
    id, name, hired = (text(header, column) for column in ("sales_person_id", "name", "hire_date"))
    columns = {"sales_person_id": id, "name": name, "hire_date": date(hired)}
    reasons = [
        reason(id.isNull(), "missing_sales_person_id"),
        reason(name.isNull(), "missing_name"),
        date_reason(hired, "hire_date"),
    ]
    return columns, reasons


def sales_transactions(header):
    """Typed columns and reasons of a sale."""
    given = {column: text(header, column) for column in header.positions}
    offers = {offer: F.lower(given[offer]) for offer in OFFERS}
    columns = {
        **given,
        **{offer: F.coalesce(offers[offer] == "true", F.lit(False)) for offer in OFFERS},
        "transaction_date": date(given["transaction_date"]),
        "customer_email": F.regexp_extract(given["customer_email"], EMAIL, 1),
        "units": F.when(given["units"].rlike(r"^\+?\d{1,10}$"), given["units"].try_cast("int")),
        "unit_price": F.when(given["unit_price"].rlike(r"^\+?\d{1,8}(\.\d{1,2}0*)?$"), given["unit_price"].try_cast("decimal(10,2)")),
        "is_online": F.when(F.lower(given["is_online"]) == "yes", True).when(F.lower(given["is_online"]) == "no", False),
    }  # fmt: skip
    return columns, [
        *(reason(given[name].isNull(), f"missing_{name}") for name in ("transaction_id", "customer_id", "product_id")),
        reason(columns["transaction_date"].isNull(), "invalid_transaction_date"),
        *offer_reasons(offers),
        *amount_reasons(given, columns),
        *channel_reasons(given, columns),
    ]


def offer_reasons(offers):
    """An offer is `True`, `False` or blank, and a sale has at most one."""
    redeemed = sum((F.coalesce((offers[offer] == "true").cast("int"), F.lit(0)) for offer in OFFERS), F.lit(0))
    known = [offers[offer].isNull() | offers[offer].isin("true", "false") for offer in OFFERS]
    return [
        reason(~F.forall(F.array(*known), lambda one: one), "invalid_offer"),
        reason(redeemed > 1, "more_than_one_offer"),
    ]


def amount_reasons(given, columns):
    """Units are whole and at least 1; a price is not negative and has two decimals; their product fits the total."""
    units, price = columns["units"], columns["unit_price"]
    return [
        reason(is_negative(given["units"]), "negative_units"),
        reason((units.isNull() | (units < 1)) & ~F.coalesce(is_negative(given["units"]), F.lit(False)), "invalid_units"),
        reason(is_negative(given["unit_price"]), "negative_unit_price"),
        reason(price.isNull() & ~F.coalesce(is_negative(given["unit_price"]), F.lit(False)), "invalid_unit_price"),
        reason(units * price > F.lit(LARGEST_TOTAL).cast("decimal(12,2)"), "total_out_of_range"),
    ]  # fmt: skip


def channel_reasons(given, columns):
    """A branch sale names its agent and branch; an address, where an online sale has one, ends in city/state/zip."""
    online, address = columns["is_online"], F.split(given["shipping_address"], "/", -1)
    parts = F.size(address)
    state = F.btrim(F.get(address, parts - 2), F.lit(BLANKS))
    return [
        reason(online.isNull(), "invalid_is_online"),
        reason(~online & given["sales_agent_id"].isNull(), "missing_sales_agent_id"),
        reason(~online & given["branch_id"].isNull(), "missing_branch_id"),
        reason(online & (parts < 4), "address_too_short"),
        reason(online & (parts >= 4) & ~state.rlike("^[A-Za-z]{2}$"), "invalid_state"),
    ]


RULES = {"branches": branches, "sales_agents": sales_agents, "sales_transactions": sales_transactions}


def checked(lines, header, feed):
    """Lines with `fields` and `broken` → the feed's typed columns, `raw_line`, `_row_hash` and `reasons` (empty = valid)."""
    columns, row_reasons = RULES[feed](header)
    not_utf8 = reason(~F.is_valid_utf8("raw"), "not_utf8")
    # A line that cannot be cut into the header's fields has no values to judge.
    reasons = F.when(F.col("broken").isNotNull(), F.array_compact(F.array(F.col("broken"), not_utf8))).otherwise(
        F.array_compact(F.array(not_utf8, *row_reasons))
    )
    typed = lines.select(
        "_line_no",
        F.make_valid_utf8("raw").alias("raw_line"),
        reasons.alias("reasons"),
        *(value.alias(name) for name, value in columns.items()),
    )
    # In the order of the contract: the same row in a file of other columns is the same row.
    return typed.withColumn("_row_hash", F.xxhash64(*COLUMNS[feed]))
