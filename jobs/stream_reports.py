"""`standardized.app_events` → the reports on it in `enriched`, for the days that have changed.

    spark-submit jobs/stream_reports.py --days '["2026-11-22"]'

No day (`[]`) = every day that has events. An event that was sent twice (the same event_id) counts once. Each report is partitioned by day
and a day is written whole, so any number of runs leave the same rows. Result (QFLOW_RESULT): {"days": [...], "rows": {table: rows}}.
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from pyspark.sql import Observation
from pyspark.sql import functions as F
from qcompany import runtime

EVENTS = "standardized.app_events"
MONEY = "decimal(18,2)"

# First of those that were sent twice: by the place in the topic, so that it is the same in every run.
ONCE = """
select first.* from (
  select min_by(struct(*), struct(generation, partition, offset)) as first from day_events
  group by event_date, coalesce(event_id, concat_ws('/', topic, generation, partition, offset))
)
"""
PAYMENTS = f"""
select coalesce(payment_method, '') as payment_method, count(*) as purchases,
  sum(cast(quantity as bigint)) as units, cast(sum(total_amount) as {MONEY}) as revenue, event_date
from events where event_type = 'purchase' group by event_date, coalesce(payment_method, '')
"""
CATEGORIES = f"""
select event_hour, coalesce(category, '') as category, count(*) as events, count_if(event_type = 'productView') as views,
  count_if(event_type = 'addToCart') as carts, count_if(event_type = 'purchase') as purchases,
  cast(coalesce(sum(if(event_type = 'purchase', total_amount, null)), 0) as {MONEY}) as revenue, event_date
from events group by event_date, event_hour, coalesce(category, '')
"""
# A journey is one customer and one product on one day: each step counts when it comes at or after the first of the step before.
FUNNEL = """
with viewed as (
  select event_date, customer_id, product_id, min(event_time) as at from events
  where event_type = 'productView' and customer_id is not null and product_id is not null group by all
), carted as (
  select v.event_date, v.customer_id, v.product_id, min(e.event_time) as at from viewed v join events e
    on e.event_date = v.event_date and e.customer_id = v.customer_id and e.product_id = v.product_id
   and e.event_type = 'addToCart' and e.event_time >= v.at group by all
), bought as (
  select c.event_date, c.customer_id, c.product_id from carted c join events e
    on e.event_date = c.event_date and e.customer_id = c.customer_id and e.product_id = c.product_id
   and e.event_type = 'purchase' and e.event_time >= c.at group by all
), journeys as (
  select 1 as step, 'view' as stage, event_date, customer_id from viewed
  union all select 2, 'cart', event_date, customer_id from carted
  union all select 3, 'purchase', event_date, customer_id from bought
), counted as (
  select event_date, type.step, type.stage, count_if(events.event_type = type.event_type) as events
  from events cross join (values (1, 'view', 'productView'), (2, 'cart', 'addToCart'), (3, 'purchase', 'purchase'))
    as type (step, stage, event_type) group by all
)
select n.step, n.stage, n.events, count(j.customer_id) as journeys, count(distinct j.customer_id) as customers, n.event_date
from counted n left join journeys j on j.event_date = n.event_date and j.step = n.step
group by n.event_date, n.step, n.stage, n.events
"""
# Clicked through = the customer views, puts into the cart or buys the recommended product later on the same day.
ALGORITHMS = """
with clicks as (
  select event_date, coalesce(algorithm, '') as algorithm, customer_id, recommended_product_id, event_time, topic, generation, partition, offset
  from events where event_type = 'recommendationClick'
), followed as (
  select c.event_date, c.algorithm, c.customer_id, max(e.event_type is not null) as followed, coalesce(max(e.event_type = 'purchase'), false) as bought
  from clicks c left join events e on e.event_date = c.event_date and e.customer_id = c.customer_id
    and e.product_id = c.recommended_product_id and e.event_time >= c.event_time
    and e.event_type in ('productView', 'addToCart', 'purchase')
  group by c.event_date, c.algorithm, c.customer_id, c.topic, c.generation, c.partition, c.offset
)
select algorithm, count(*) as clicks, count(distinct customer_id) as customers, count_if(followed) as followed, count_if(bought) as bought, event_date
from followed group by event_date, algorithm
"""
# What the agreed columns do not hold: how the events change is seen here first.
FIELDS = """
select event_type, field, kind, count(*) as events, min(event_time) as first_seen, max(event_time) as last_seen, event_date
from (
  select event_date, event_type, event_time, field, schema_of_variant(fields[field]) as kind
  from (select *, try_cast(try_parse_json(extra) as map<string, variant>) as fields from events where extra is not null)
  lateral view explode(map_keys(fields)) as field
) group by event_date, event_type, field, kind
"""

REPORTS = {
    "enriched.sales_by_payment_method": (PAYMENTS, ["payment_method"]),
    "enriched.events_by_category": (CATEGORIES, ["event_hour", "category"]),
    "enriched.purchase_funnel": (FUNNEL, ["step"]),
    "enriched.recommendation_clicks": (ALGORITHMS, ["algorithm"]),
    "enriched.app_event_fields": (FIELDS, ["event_type", "field", "kind"]),
}


def main():
    spark = runtime.session()
    (wanted,) = runtime.arguments(__doc__.splitlines()[0], "days")
    known = sorted({partition["event_date"] for partition in runtime.partitions(spark, EVENTS)})
    days = [day for day in known if not wanted or day in wanted]
    if not days:
        return runtime.write_result({"days": [], "rows": {}})
    runtime.prepare_to_read(spark, EVENTS)
    spark.table(EVENTS).where(runtime.is_one_of("event_date", days)).createOrReplaceTempView("day_events")
    events = spark.sql(ONCE).persist()
    events.createOrReplaceTempView("events")
    rows = {}
    for table, (query, order) in REPORTS.items():
        observed = Observation()
        report = spark.sql(query).repartition(runtime.write_partitions(spark), "event_date").sortWithinPartitions("event_date", *order)
        runtime.overwrite(report.observe(observed, F.count("*").alias("rows")), table)
        rows[table] = observed.get["rows"]
    events.unpersist()
    runtime.write_result({"days": days, "rows": rows})


if __name__ == "__main__":
    main()
