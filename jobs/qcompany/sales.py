"""`conformed.fact_sales`: finds the days that differ from what it should hold, and writes those."""

from pyspark.sql import functions as F

from . import runtime
from .resolve import QUARANTINE, STAGE

FACT = "conformed.fact_sales"
COUNTS = ("loaded", "duplicate", "conflict", "refused")

# A day of a file is the same when it has as many rows and the same lines: a line of a file version never changes.
EXPECTED = """
select transaction_date, _file_id, count_if(_refused) as refused,
  count_if(not _refused and _rank = 1) as loaded, count_if(not _refused and _rank > 1) as duplicate,
  count_if(not _refused and _rank > 1 and _row_hash <> _first_hash) as conflict,
  bit_xor(if(not _refused and _rank = 1, xxhash64(_line_no), 0)) as lines
from ranked_sales group by transaction_date, _file_id
"""
STORED = f"""
select transaction_date, _file_id, count(*) as loaded, bit_xor(xxhash64(_line_no)) as lines
from {FACT} group by transaction_date, _file_id
"""
DIFFERENCE = f"""
select coalesce(e.transaction_date, s.transaction_date) as transaction_date, coalesce(e._file_id, s._file_id) as _file_id,
  {", ".join(f"coalesce(e.{name}, 0) as {name}" for name in COUNTS)},
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
from accepted_sales t where _rank = 1
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
    """What the fact table should hold against what it holds.

    Returns the days to write (each with whether it holds any sale now) and, by file, its counts and whether any changed.
    """
    difference = spark.sql(DIFFERENCE).persist()
    try:
        days, files = (
            difference.groupBy(key).agg(F.bool_or("changed").alias("changed"), *(F.sum(name).alias(name) for name in COUNTS))
            for key in ("transaction_date", "_file_id")
        )
        changed = {row["transaction_date"]: row["loaded"] > 0 for row in days.where("changed").orderBy("transaction_date").collect()}
        return changed, {row["_file_id"]: row for row in files.collect()}
    finally:
        # Before anything is written: a kept result would be computed anew with every write to a table it comes from.
        difference.unpersist()


def write(spark, dates):
    """Overwrites the given days; a day that lost all its sales loses its partition."""
    rows = spark.sql(FACT_ROWS).where(runtime.is_one_of("transaction_date", dates))
    runtime.overwrite(rows.repartition(runtime.write_partitions(spark), "transaction_date"), FACT)
    for day, filled in dates.items():
        if not filled:
            runtime.drop_partition(spark, FACT, transaction_date=day)


def file_counts(spark, files, file_ids):
    """What became of the rows of the files of this run, and of any other file whose rows changed because of them."""
    wanted = sorted({*file_ids, *(file_id for file_id, row in files.items() if row["changed"])})
    reasons = refusal_reasons(spark, [file_id for file_id in wanted if file_id in files and files[file_id]["refused"]])
    return [one_file(file_id, files.get(file_id), reasons.get(file_id, {})) for file_id in wanted]


def refusal_reasons(spark, file_ids):
    """File → reason → rows that the conform stage quarantined."""
    found = {}
    if file_ids:
        rows = spark.table(QUARANTINE).where((F.col("stage") == STAGE) & F.col("file_id").isin(file_ids))
        for row in rows.select("file_id", F.explode("reasons").alias("reason")).groupBy("file_id", "reason").count().collect():
            found.setdefault(row["file_id"], {})[row["reason"]] = row["count"]
    return found


def one_file(file_id, row, reasons):
    """One entry of the result."""
    counts = {name: row[name] if row else 0 for name in COUNTS}
    return {"fileId": int(file_id), "quarantined": counts.pop("refused"), **counts, "reasons": reasons}
