"""Which standardized sales may be loaded: those whose agent and branch are known in any live file; and which of them came first."""

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

# `_rank` 1 = the first arrival of a transaction_id; `_first_hash` = the values it came with. Refused rows are ranked among themselves.
RANKED = f"""
select *, row_number() over first_come as _rank, first_value(_row_hash) over first_come as _first_hash
from (select *, _unknown_agent or _unknown_branch as _refused from ({RESOLVED}))
window first_come as (partition by transaction_id, _refused order by _load_seq, _line_no, _file_id)
"""


def register(spark):
    """Makes the views `ranked_sales` and, without what is refused, `accepted_sales` in this session."""
    spark.sql(RANKED).createOrReplaceTempView("ranked_sales")
    spark.sql("select * from ranked_sales where not _refused").createOrReplaceTempView("accepted_sales")


def quarantine(spark, file_ids):
    """Makes the quarantine of this stage hold exactly the refused sales, which are in these files."""
    for partition in runtime.partitions(spark, QUARANTINE):
        if partition["stage"] == STAGE and partition["file_id"] not in file_ids:
            runtime.drop_partition(spark, QUARANTINE, **partition)
    if not file_ids:
        return
    reasons = F.array_compact(
        F.array(
            F.when(F.col("_unknown_agent"), F.lit("unknown_sales_agent")),
            F.when(F.col("_unknown_branch"), F.lit("unknown_branch")),
        )
    )
    refused = spark.sql(f"select * from ({RESOLVED}) where _unknown_agent or _unknown_branch")
    rows = refused.withColumns({"reasons": reasons, "feed": F.lit("sales_transactions"), "stage": F.lit(STAGE)})
    runtime.overwrite(rows, QUARANTINE)
