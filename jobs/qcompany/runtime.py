"""How a job gets its Spark session, reads its arguments and hands back its result."""

import argparse
import json
import os
import time

from pyspark.sql import SparkSession

# Parquet unfolds about fourfold in memory; one shuffle partition then holds about 128 MB.
BYTES_PER_SHUFFLE_PARTITION = 32 * 1024 * 1024
MOST_SHUFFLE_PARTITIONS = 400
# Longer than any write takes: what is older belongs to a writer that is gone.
LEFTOVER_SECONDS = 6 * 60 * 60


def session():
    """A session of the running Spark with settings and caches of its own: a job leaves nothing behind in a shared one."""
    spark = SparkSession.builder.enableHiveSupport().getOrCreate().newSession()
    # STATIC, Spark's default, would empty every partition that a write does not mention.
    spark.conf.set("spark.sql.sources.partitionOverwriteMode", "dynamic")
    # A dynamic overwrite moves files into place when all are written: once is enough.
    spark.conf.set("mapreduce.fileoutputcommitter.algorithm.version", "2")
    # A long list of days is given to the metastore as a range, and what it cannot filter is filtered here.
    spark.conf.set("spark.sql.hive.metastorePartitionPruningInSetThreshold", "8")
    spark.conf.set("spark.sql.hive.metastorePartitionPruningFallbackOnException", "true")
    spark.conf.set("spark.sql.shuffle.partitions", str(spark.sparkContext.defaultParallelism))
    return spark


def prepare_to_read(spark, table):
    """Sizes shuffles for the table that a job is going to read whole, and reads many tiny day files cheaply."""
    cores = spark.sparkContext.defaultParallelism
    wanted = stored_bytes(spark, table) // BYTES_PER_SHUFFLE_PARTITION
    spark.conf.set("spark.sql.shuffle.partitions", str(int(min(MOST_SHUFFLE_PARTITIONS, max(cores, wanted)))))
    # Listed here instead of by a job with a task a folder, read by few tasks, each file in one go.
    spark.conf.set("spark.sql.sources.parallelPartitionDiscovery.threshold", "20000")
    spark.conf.set("spark.sql.files.openCostInBytes", str(64 * 1024))
    spark.conf.set("parquet.hadoop.vectored.io.enabled", "false")
    spark.conf.set("spark.sql.parquet.columnarReaderBatchSize", "1024")


def stored_bytes(spark, table):
    """Bytes a table holds on its file system."""
    system, path = location(spark, table)
    return system.getContentSummary(path).getLength() if system.exists(path) else 0


def location(spark, table):
    """The file system and folder of a table."""
    rows = spark.sql(f"describe formatted {table}").where("col_name = 'Location'").select("data_type").collect()
    path = spark._jvm.org.apache.hadoop.fs.Path(rows[0][0])
    return path.getFileSystem(spark._jsc.hadoopConfiguration()), path


def remove_leftovers(spark, table):
    """Removes what writers that were killed left in a table's folder. No reader sees it, but it takes room."""
    system, path = location(spark, table)
    if not system.exists(path):
        return
    oldest = (time.time() - LEFTOVER_SECONDS) * 1000
    for status in system.globStatus(spark._jvm.org.apache.hadoop.fs.Path(path, ".spark-staging-*")) or []:
        if status.getModificationTime() < oldest:
            system.delete(status.getPath(), True)


def write_partitions(spark):
    """How many tasks write a table partitioned by day: all rows of a day go to one task, so a day is one file."""
    return max(spark.sparkContext.defaultParallelism, int(spark.conf.get("spark.sql.shuffle.partitions")))


def overwrite(rows, table):
    """Overwrites a whole table, or of a partitioned one the partitions that `rows` has, matching columns by name."""
    columns = rows.sparkSession.table(table).columns
    rows.select(*columns).write.mode("overwrite").insertInto(table)


def is_one_of(column, days):
    """Condition: a date column holds one of these days. Written as one text, since each value of a list is a call to the JVM."""
    # With no days still a condition that has to be looked up, or the write would no longer know what it reads from.
    values = ", ".join(f"date'{day}'" for day in days or ["0001-01-01"])
    return f"{column} in ({values})"


def drop_partition(spark, table, **values):
    """Drops one partition; nothing happens where it does not exist."""
    spec = ", ".join(f"`{name}` = {quoted(value)}" for name, value in values.items())
    spark.sql(f"alter table {table} drop if exists partition ({spec})")


def partitions(spark, table):
    """The partitions of a table as a list of name → text value."""
    found = []
    unescape = spark._jvm.org.apache.spark.sql.catalyst.catalog.ExternalCatalogUtils.unescapePathName
    for row in spark.sql(f"show partitions {table}").collect():
        found.append({name: unescape(value) for name, value in (part.split("=", 1) for part in row[0].split("/"))})
    return found


def quoted(value):
    """A value as an SQL string literal."""
    return "'" + str(value).replace("\\", "\\\\").replace("'", "\\'") + "'"


def arguments(description, *names):
    """Parses `--name value` pairs; each value is JSON itself or the path of a file that holds it."""
    parser = argparse.ArgumentParser(description=description)
    for name in names:
        parser.add_argument(f"--{name}", required=True)
    parsed = parser.parse_args()
    return [read_json(getattr(parsed, name.replace("-", "_"))) for name in names]


def read_json(text):
    """JSON given inline (it starts with `{` or `[`) or as the path of a file."""
    if text.lstrip()[:1] in ("{", "["):
        return json.loads(text)
    with open(text, encoding="utf-8") as file:
        return json.load(file)


def write_result(result):
    """Hands the job's result to whoever submitted it: to the file named by QFLOW_RESULT, whole or not at all."""
    path = os.environ.get("QFLOW_RESULT")
    if not path:
        print(json.dumps(result))
        return
    temporary = f"{path}.tmp"
    with open(temporary, "w", encoding="utf-8") as file:
        json.dump(result, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
