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
    runtime.prepare_to_read(spark, resolve.TRANSACTIONS)
    runtime.remove_leftovers(spark, sales.FACT)
    resolve.register(spark)
    changed, files = sales.compare(spark)
    resolve.quarantine(spark, {file_id for file_id, row in files.items() if row["refused"]})
    sales.write(spark, changed)
    dimensions.write(spark)
    counts = sales.file_counts(spark, files, [version.file_id for version in file_versions(manifest)])
    runtime.write_result({"files": counts, "changedDates": [str(day) for day in changed]})


if __name__ == "__main__":
    main()
