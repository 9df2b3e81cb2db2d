"""Checks what a batch's run has left: balance of every file, keys, totals, uniqueness, ranges → `conformed.quality_checks`.

    spark-submit jobs/checks.py --manifest FILE|JSON --standardized FILE|JSON --conformed FILE|JSON

The last two are the results of `standardize` and `conform`. Fails naming every check that failed.
Result (QFLOW_RESULT): {"counts": [{fileId, read, loaded, duplicate, conflict, quarantined, reasons, rejected}], "checks": n}.
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from pyspark.sql import functions as F
from qcompany import counts, runtime
from qcompany.manifest import file_versions
from qcompany.resolve import TRANSACTIONS

TABLE = "conformed.quality_checks"
FACT = "conformed.fact_sales"
CUSTOMERS = "conformed.dim_customer"
COLUMNS = "check_name string, subject string, observed string, expected string"

# One pass over the fact table. Each is a number that has to be 0.
NONE_MAY_BE = {
    "customer_resolves": "count_if(c.customer_id is null)",
    "product_resolves": "count_if(p.product_id is null)",
    "sales_agent_resolves": "count_if(f.sales_agent_id is not null and a.sales_agent_id is null)",
    "branch_resolves": "count_if(f.branch_id is not null and b.branch_id is null)",
    "date_resolves": "count_if(d.calendar_date is null)",
    "transaction_id_unique": "count(*) - count(distinct f.transaction_id)",
    "nothing_negative": "count_if((f.units > 0 and f.unit_price >= 0 and f.total_paid_price >= 0) is not true)",
    "branch_sale_has_agent_and_branch": "count_if(not f.is_online and (f.sales_agent_id is null or f.branch_id is null))",
}
FACT_SCAN = f"""
select {", ".join(f"{measure} as {name}" for name, measure in NONE_MAY_BE.items())}, sum(f.total_paid_price) as total,
  count_if(array_contains(:files, f._file_id)) as loaded
from {FACT} f
left join (select distinct customer_id from conformed.dim_customer where is_current) c on c.customer_id = f.customer_id
left join conformed.dim_product p on p.product_id = f.product_id
left join conformed.dim_sales_agent a on a.sales_agent_id = f.sales_agent_id
left join conformed.dim_branch b on b.branch_id = f.branch_id
left join conformed.dim_date d on d.calendar_date = f.transaction_date
"""

# The total once more, from the standardized rows and in whole cents: n × price × (100 − 5k) / 100, half up.
RECOMPUTED = f"""
select sum((first.cents * (100 - first.percent) + 50) div 100) as cents from (
  select min_by(struct(
      units * cast(unit_price * 100 as bigint) as cents,
      int(offer_1) * 5 + int(offer_2) * 10 + int(offer_3) * 15 + int(offer_4) * 20 + int(offer_5) * 25 as percent
    ), struct(_load_seq, _line_no, _file_id)) as first
  from {TRANSACTIONS}
  where (sales_agent_id is null or sales_agent_id in (select sales_person_id from standardized.sales_agents))
    and (branch_id is null or branch_id in (select branch_id from standardized.branches))
  group by transaction_id
)
"""

CUSTOMER_HISTORY = f"""
select count_if(current <> 1 or gaps > 0) as broken from (
  select customer_id, count_if(is_current) as current, count_if(not (valid_to <=> following)) as gaps from (
    select *, lead(valid_from) over (partition by customer_id order by valid_from) as following from {CUSTOMERS}
  ) group by customer_id
)
"""

# name, subject, what was found, what has to be found
MEASURED = [
    *((name, FACT, f"fact.{name}", "0") for name in NONE_MAY_BE),
    ("total_paid_price_recomputed", FACT, "cast(coalesce(fact.total, 0) * 100 as bigint)", "coalesce(recomputed.cents, 0)"),
    ("sales_of_run_loaded", FACT, "fact.loaded", ":loaded"),
    ("customer_history_unbroken", CUSTOMERS, "history.broken", "0"),
]
CHECKS = f"""
select stack({len(MEASURED)}, {", ".join(f"'{name}', '{subject}', string({found}), string({right})" for name, subject, found, right in MEASURED)})
  as (check_name, subject, observed, expected)
from ({FACT_SCAN}) fact cross join ({RECOMPUTED}) recomputed cross join ({CUSTOMER_HISTORY}) history
"""


def main():
    spark = runtime.session()
    manifest, standardized, conformed = runtime.arguments(
        __doc__.splitlines()[0], "manifest", "standardized", "conformed"
    )
    runtime.prepare_to_read(spark, FACT)
    versions = file_versions(manifest)
    batch = max((version.batch for version in versions), default=0)
    balance = counts.of_files(spark, versions, standardized, conformed)
    sales = {version.file_id for version in versions if version.feed == "sales_transactions"}
    loaded = sum(file["loaded"] for file in balance if str(file["fileId"]) in sales)
    measured = spark.sql(CHECKS, args={"files": F.array(*map(F.lit, sales or [""])), "loaded": loaded})
    checks = record(spark, measured, balance, batch)
    failed = [check for check in checks if not check["passed"]]
    if failed:
        raise SystemExit("checks failed: " + "; ".join(map(describe, failed)))
    runtime.write_result({"counts": balance, "checks": len(checks)})


def record(spark, measured, balance, batch):
    """Makes every check and writes its outcome, good or bad, for the batch's run; returns what was written."""
    checks = measured.union(spark.createDataFrame(list(map(balanced, balance)), COLUMNS))
    judged = checks.withColumn("passed", F.col("observed").eqNullSafe(F.col("expected"))).withColumn("batch", F.lit(batch))
    runtime.overwrite(judged.coalesce(1), TABLE)
    return spark.table(TABLE).where(F.col("batch") == batch).collect()


def balanced(file):
    """The check that read = loaded + duplicate + quarantined for one file."""
    accounted = file["loaded"] + file["duplicate"] + file["quarantined"]
    return ("balance", f"file {file['fileId']}", str(accounted), str(file["read"]))


def describe(failed):
    """One failed check in words."""
    return f"{failed['check_name']} of {failed['subject']}: {failed['observed']}, not {failed['expected']}"


if __name__ == "__main__":
    main()
