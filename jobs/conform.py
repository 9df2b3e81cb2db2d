"""`standardized.*` → the star schema in `conformed`: `fact_sales` and its dimensions.

    spark-submit jobs/conform.py --manifest FILE|JSON

Everything is recomputed from what is standardized at the moment, so the order in which files came, or how often a job
ran, changes nothing. Of `fact_sales` only the days whose rows differ are written.
Result (QFLOW_RESULT): {"files": [{fileId, loaded, duplicate, conflict, quarantined, reasons}], "changedDates": [...]}.
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from qcompany import dimensions, resolve, runtime, sales
from qcompany.manifest import file_versions


def main():
    spark = runtime.session()
    (manifest,) = runtime.arguments(__doc__.splitlines()[0], "manifest")
    runtime.set_shuffle_partitions(spark, runtime.stored_bytes(spark, resolve.TRANSACTIONS))
    resolve.register(spark)
    resolve.quarantine_unresolved(spark)
    difference = sales.compare(spark)
    try:
        changed = sales.changed_dates(difference)
        sales.write(spark, changed)
        files = sales.file_counts(spark, difference, [version.file_id for version in file_versions(manifest)])
    finally:
        difference.unpersist()
    dimensions.write(spark)
    runtime.write_result({"files": files, "changedDates": [str(day) for day in changed]})


if __name__ == "__main__":
    main()
