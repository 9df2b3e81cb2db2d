"""`conformed` → the marketing insights in `enriched`: every product, offer and city, online and offline apart.

    spark-submit jobs/insights.py

Result (QFLOW_RESULT): {"rows": {table: rows}}.
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from pyspark.sql import Observation
from pyspark.sql import functions as F
from qcompany import runtime

MONEY = "decimal(14,2)"

PRODUCTS = f"""
select f.product_id, p.product_name, p.product_category,
  sum(cast(units as bigint)) as units_sold,
  cast(sum(total_paid_price) as {MONEY}) as revenue,
  sum(if(is_online, cast(units as bigint), 0)) as online_units,
  sum(if(is_online, 0, cast(units as bigint))) as offline_units,
  cast(sum(if(is_online, total_paid_price, 0)) as {MONEY}) as online_revenue,
  cast(sum(if(is_online, 0, total_paid_price)) as {MONEY}) as offline_revenue
from conformed.fact_sales f join conformed.dim_product p on p.product_id = f.product_id
group by f.product_id, p.product_name, p.product_category
"""
OFFERS = f"""
select offer, count(*) as redemptions, count_if(is_online) as online_redemptions,
  count_if(not is_online) as offline_redemptions,
  cast(sum(units * unit_price - total_paid_price) as {MONEY}) as discount_given
from conformed.fact_sales where offer is not null group by offer
"""
OFFERS_PER_PRODUCT = """
select f.product_id, p.product_name, offer, count(*) as redemptions, count_if(is_online) as online_redemptions,
  count_if(not is_online) as offline_redemptions
from conformed.fact_sales f join conformed.dim_product p on p.product_id = f.product_id
where offer is not null group by f.product_id, p.product_name, offer
"""
# Online sales without an address are no city's.
CITIES = f"""
select city, state, cast(sum(total_paid_price) as {MONEY}) as total_sales, count(*) as orders,
  sum(cast(units as bigint)) as units
from conformed.fact_sales where is_online and city is not null group by city, state
"""


def insights():
    """Table → query and order of its rows. A function, because columns can only be made once there is a session."""
    return {
        "enriched.most_selling_products": (PRODUCTS, [F.desc("units_sold"), "product_id"]),
        "enriched.most_redeemed_offers": (OFFERS, [F.desc("redemptions"), "offer"]),
        "enriched.most_redeemed_offers_per_product": (OFFERS_PER_PRODUCT, [F.desc("redemptions"), "product_id", "offer"]),
        "enriched.least_performing_cities_online": (CITIES, ["total_sales", "city", "state"]),
    }


def main():
    spark = runtime.session()
    runtime.arguments(__doc__.splitlines()[0])
    runtime.prepare_to_read(spark, "conformed.fact_sales")
    counts = {}
    for table, (query, order) in insights().items():
        observed = Observation()
        rows = spark.sql(query).coalesce(1).sortWithinPartitions(*order)
        runtime.overwrite(rows.observe(observed, F.count("*").alias("rows")), table)
        counts[table] = observed.get["rows"]
    runtime.write_result({"rows": counts})


if __name__ == "__main__":
    main()
