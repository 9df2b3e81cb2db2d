"""`conformed` → `enriched.sales_agent_performance`: units that agents sold in branches, by day and names.

    spark-submit jobs/enrich.py

Only days whose rows differ are written; their `changed_seq` grows, that of every other day stays.
Result (QFLOW_RESULT): {"changedDates": [...]}.
"""

import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from pyspark.sql import functions as F
from qcompany import runtime

TABLE = "enriched.sales_agent_performance"

EXPECTED = """
select f.transaction_date, a.name as sales_agent_name, p.product_name, sum(cast(f.units as bigint)) as total_sold_units
from conformed.fact_sales f
join conformed.dim_sales_agent a on a.sales_agent_id = f.sales_agent_id
join conformed.dim_product p on p.product_id = f.product_id
where not f.is_online
group by f.transaction_date, a.name, p.product_name
"""
PRINT = "bit_xor(xxhash64(sales_agent_name, product_name, total_sold_units)) as print, count(*) as size"
DIFFERENCE = f"""
select coalesce(e.transaction_date, s.transaction_date) as transaction_date, e.size is null as emptied, s.seq
from (select transaction_date, {PRINT} from performance group by transaction_date) e
full join (select transaction_date, {PRINT}, max(changed_seq) as seq from {TABLE} group by transaction_date) s
  on e.transaction_date = s.transaction_date
where not (e.print <=> s.print and e.size <=> s.size)
"""


def main():
    spark = runtime.session()
    runtime.arguments(__doc__.splitlines()[0])
    runtime.prepare_to_read(spark, "conformed.fact_sales")
    runtime.remove_leftovers(spark, TABLE)
    spark.sql(EXPECTED).createOrReplaceTempView("performance")
    changed = spark.sql(DIFFERENCE).collect()
    # Milliseconds grow from run to run; the stored numbers guard against a clock that was set back.
    seq = max([int(time.time() * 1000), *(row["seq"] + 1 for row in changed if row["seq"] is not None)])
    dates = sorted(row["transaction_date"] for row in changed)
    rows = spark.table("performance").where(runtime.is_one_of("transaction_date", dates))
    rows = rows.withColumn("changed_seq", F.lit(seq)).repartition(runtime.write_partitions(spark), "transaction_date")
    runtime.overwrite(rows, TABLE)
    for row in changed:
        if row["emptied"]:
            runtime.drop_partition(spark, TABLE, transaction_date=row["transaction_date"])
    runtime.write_result({"changedDates": [str(day) for day in dates]})


if __name__ == "__main__":
    main()
