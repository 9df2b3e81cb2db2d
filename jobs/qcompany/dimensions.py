"""The dimensions: recomputed as a whole, from what is standardized, each with one overwrite."""

from . import runtime

BATCH_PLACE = 10_000_000_000

# Where a sale was told of several times, the earliest batch counts: a batch that repeats old sales tells nothing new.
TOLD = """
select * from (
  select *, row_number() over (partition by transaction_id order by _batch, _line_no, _load_seq) as _told from accepted_sales
) where _told = 1
"""

CUSTOMER = f"""
with told as (
  select customer_id, customer_fname as first_name, customer_lname as last_name,
    customer_email as email,
    _batch, _batch * {BATCH_PLACE} + _line_no as place, _load_seq
  from told_sales
), compared as (
  select *, lag(struct(first_name, last_name, email)) over feed as before from told
  window feed as (partition by customer_id order by place, _load_seq)
), changes as (
  select * from compared where not (before <=> struct(first_name, last_name, email))
)
select customer_id, first_name, last_name, email, _batch as valid_from_batch,
  place as valid_from, lead(place) over feed as valid_to, lead(place) over feed is null as is_current
from changes window feed as (partition by customer_id order by place, _load_seq)
"""

PRODUCT = """
select product_id, max_by(product_name, place) filter (where product_name is not null) as product_name,
  max_by(product_category, place) filter (where product_category is not null) as product_category
from (select *, struct(_batch, _line_no, _load_seq) as place from told_sales) group by product_id
"""


def latest(key, columns, table):
    """Per key the row that the latest batch gives."""
    values = ", ".join(f"latest.{column} as {alias}" for column, alias in columns.items())
    fields = ", ".join(columns)
    return f"""
    select {key[0]} as {key[1]}, {values} from (
      select {key[0]}, max_by(struct({fields}), struct(_batch, _load_seq, _line_no)) as latest from {table} group by {key[0]}
    )"""


BRANCH = latest(
    ("branch_id", "branch_id"),
    {"location": "location", "establish_date": "establish_date", "class": "class"},
    "standardized.branches",
)
SALES_AGENT = latest(
    ("sales_person_id", "sales_agent_id"), {"name": "name", "hire_date": "hire_date"}, "standardized.sales_agents"
)

DATE = """
select calendar_date, year(calendar_date) as year, quarter(calendar_date) as quarter, month(calendar_date) as month,
  date_format(calendar_date, 'MMMM') as month_name, day(calendar_date) as day, weekday(calendar_date) + 1 as day_of_week,
  date_format(calendar_date, 'EEEE') as day_name, weekofyear(calendar_date) as iso_week
from (
  select explode(sequence(trunc(min(transaction_date), 'YEAR'), date_sub(add_months(trunc(max(transaction_date), 'YEAR'), 12), 1)))
    as calendar_date
  from accepted_sales
)
"""

QUERIES = {
    "conformed.dim_customer": CUSTOMER,
    "conformed.dim_product": PRODUCT,
    "conformed.dim_branch": BRANCH,
    "conformed.dim_sales_agent": SALES_AGENT,
    "conformed.dim_date": DATE,
}


def write(spark):
    """Overwrites every dimension. Each is small: one file."""
    spark.sql(TOLD).createOrReplaceTempView("told_sales")
    for table, query in QUERIES.items():
        runtime.overwrite(spark.sql(query).coalesce(1), table)
