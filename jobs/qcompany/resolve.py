"""Which standardized sales may be loaded: those whose agent and branch are known in any live file."""

from pyspark.sql import functions as F

from . import runtime

TRANSACTIONS = "standardized.sales_transactions"
QUARANTINE = "standardized.quarantine"
STAGE = "conform"

# A sale waits in quarantine as long as nothing names its agent or branch, and leaves it with the file that does.
RESOLVED = f"""
select t.*,
  t.sales_agent_id is not null and a.id is null as _unknown_agent,
  t.branch_id is not null and b.id is null as _unknown_branch
from {TRANSACTIONS} t
left join (select distinct sales_person_id as id from standardized.sales_agents) a on a.id = t.sales_agent_id
left join (select distinct branch_id as id from standardized.branches) b on b.id = t.branch_id
"""

# `_rank` 1 = the first arrival of a transaction_id; `_first_hash` = the values it came with.
RANKED = """
select *, row_number() over first_come as _rank, first_value(_row_hash) over first_come as _first_hash
from resolved_sales where not _unknown_agent and not _unknown_branch
window first_come as (partition by transaction_id order by _load_seq, _line_no, _file_id)
"""


def register(spark):
    """Makes the views `resolved_sales` and `ranked_sales` in this session."""
    spark.sql(RESOLVED).createOrReplaceTempView("resolved_sales")
    spark.sql(RANKED).createOrReplaceTempView("ranked_sales")


def quarantine_unresolved(spark):
    """Makes the quarantine of this stage hold exactly the sales whose agent or branch nobody knows."""
    rows = spark.table("resolved_sales").where("_unknown_agent or _unknown_branch")
    reasons = F.array_compact(
        F.array(
            F.when(F.col("_unknown_agent"), F.lit("unknown_sales_agent")),
            F.when(F.col("_unknown_branch"), F.lit("unknown_branch")),
        )
    )
    kept = {row[0] for row in rows.select("_file_id").distinct().collect()}
    for partition in runtime.partitions(spark, QUARANTINE):
        if partition["stage"] == STAGE and partition["file_id"] not in kept:
            runtime.drop_partition(spark, QUARANTINE, **partition)
    if kept:
        refused = rows.withColumn("reasons", reasons).withColumn("feed", F.lit("sales_transactions"))
        runtime.overwrite(refused.withColumn("stage", F.lit(STAGE)), QUARANTINE)
