"""`conformed.fact_sales`: finds the days that differ from what it should hold, and writes those."""

from pyspark.sql import functions as F

from . import runtime
from .resolve import QUARANTINE, STAGE

FACT = "conformed.fact_sales"

# A day of a file is the same when it has as many rows and the same lines: a line of a file version never changes.
EXPECTED = """
select transaction_date, _file_id,
  count_if(_rank = 1) as loaded, count_if(_rank > 1) as duplicate, count_if(_rank > 1 and _row_hash <> _first_hash) as conflict,
  bit_xor(if(_rank = 1, xxhash64(_line_no), 0)) as lines
from ranked_sales group by transaction_date, _file_id
"""
STORED = f"""
select transaction_date, _file_id, count(*) as loaded, bit_xor(xxhash64(_line_no)) as lines
from {FACT} group by transaction_date, _file_id
"""
DIFFERENCE = f"""
select coalesce(e.transaction_date, s.transaction_date) as transaction_date, coalesce(e._file_id, s._file_id) as _file_id,
  coalesce(e.loaded, 0) as loaded, coalesce(e.duplicate, 0) as duplicate, coalesce(e.conflict, 0) as conflict,
  coalesce(e.loaded, 0) <> coalesce(s.loaded, 0) or coalesce(e.lines, 0) <> coalesce(s.lines, 0) as changed
from ({EXPECTED}) e full join ({STORED}) s on e.transaction_date = s.transaction_date and e._file_id = s._file_id
"""

ROWS = """
select t.*,
  case when offer_1 then 'offer_1' when offer_2 then 'offer_2' when offer_3 then 'offer_3'
    when offer_4 then 'offer_4' when offer_5 then 'offer_5' end as offer,
  cast(case when offer_1 then 0.05 when offer_2 then 0.10 when offer_3 then 0.15
    when offer_4 then 0.20 when offer_5 then 0.25 else 0 end as decimal(4,2)) as discount,
  if(is_online, split(shipping_address, '/'), null) as address
from ranked_sales t where _rank = 1
"""

# An address is read from its right end: a street can hold a slash.
FACT_ROWS = f"""
select t.*,
  cast(round(units * unit_price * (1 - discount), 2) as decimal(12,2)) as total_paid_price,
  trim(array_join(slice(address, 1, size(address) - 3), '/')) as street,
  trim(get(address, size(address) - 3)) as city,
  upper(trim(get(address, size(address) - 2))) as state,
  trim(get(address, size(address) - 1)) as postal_code
from ({ROWS}) t
"""


def compare(spark):
    """Days × files: counts, and whether the fact table holds something else. Kept in memory until unpersisted."""
    return spark.sql(DIFFERENCE).persist()


def changed_dates(difference):
    """The days to write, ascending, each with whether it holds any sale now."""
    days = difference.groupBy("transaction_date").agg(F.bool_or("changed").alias("changed"), F.sum("loaded").alias("loaded"))
    rows = days.where("changed").orderBy("transaction_date").collect()
    return {row["transaction_date"]: row["loaded"] > 0 for row in rows}


def write(spark, dates):
    """Overwrites the given days; a day that lost all its sales loses its partition."""
    rows = spark.sql(FACT_ROWS).where(runtime.is_one_of("transaction_date", dates))
    runtime.overwrite(rows.repartition(runtime.write_partitions(spark), "transaction_date"), FACT)
    for day, filled in dates.items():
        if not filled:
            runtime.drop_partition(spark, FACT, transaction_date=day)


def file_counts(spark, difference, file_ids):
    """What became of the rows of the files of this run, and of any other file whose rows changed because of them."""
    totals = difference.groupBy("_file_id").agg(
        F.bool_or("changed").alias("changed"),
        *(F.sum(name).alias(name) for name in ("loaded", "duplicate", "conflict")),
    )
    counts = {row["_file_id"]: row for row in totals.collect() if row["changed"] or row["_file_id"] in file_ids}
    wanted = sorted({*file_ids, *counts})
    refused = refused_counts(spark, wanted)
    return [one_file(file_id, counts.get(file_id), refused.get(file_id)) for file_id in wanted]


def refused_counts(spark, file_ids):
    """File → rows that the conform stage quarantined, and reason → rows."""
    stages = {(one["file_id"], one["stage"]) for one in runtime.partitions(spark, QUARANTINE)}
    file_ids = [file_id for file_id in file_ids if (file_id, STAGE) in stages]
    found = {file_id: (0, {}) for file_id in file_ids}
    if not file_ids:
        return found
    rows = spark.table(QUARANTINE).where((F.col("stage") == STAGE) & F.col("file_id").isin(file_ids))
    for row in rows.groupBy("file_id", "reasons").count().collect():
        total, reasons = found[row["file_id"]]
        for reason in row["reasons"]:
            reasons[reason] = reasons.get(reason, 0) + row["count"]
        found[row["file_id"]] = (total + row["count"], reasons)
    return found


def one_file(file_id, counts, refused):
    """One entry of the result."""
    quarantined, reasons = refused or (0, {})
    numbers = {name: counts[name] if counts else 0 for name in ("loaded", "duplicate", "conflict")}
    return {"fileId": int(file_id), **numbers, "quarantined": quarantined, "reasons": reasons}
