"""Many small files of a table's quiet partitions → few large ones, switched at once for whoever asks the metastore.

    spark-submit jobs/compact.py --options FILE|JSON

Options: {"table": name, "targetMb": 128, "minFiles": 4, "quietMinutes": 60, "graceMinutes": 60, "mostPartitions": 200}; all but the table
may be left out. A run first carries on what earlier runs began, then begins what is new; see docs/compaction.md.
Result (QFLOW_RESULT): {"table", "compacted": [{partition, filesBefore, bytesBefore, filesAfter, bytesAfter, rows}], "settled", "finished",
"abandoned", "failed": [{partition, reason}], "left"}. Fails when a partition could not be read, written or verified, after all others are done.
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from qcompany import runtime
from qcompany.compaction.run import Run


def main():
    spark = runtime.session()
    # As the stream writes them, and what other readers of Parquet expect.
    spark.conf.set("spark.sql.parquet.outputTimestampType", "TIMESTAMP_MICROS")
    (options,) = runtime.arguments(__doc__.splitlines()[0], "options")
    result = Run(spark, options).carry_out()
    runtime.write_result(result)
    if result["failed"]:
        raise SystemExit("not compacted: " + "; ".join(f"{one['partition']}: {one['reason']}" for one in result["failed"]))


if __name__ == "__main__":
    main()
