"""What files hold: rows and a checksum over them that does not depend on their order, and the same rows in other files."""

from collections import namedtuple

from pyspark.sql import Observation
from pyspark.sql import functions as F
from pyspark.sql import types as T

# Rows, the sum of all rows' hashes and the XOR of other hashes of theirs: equal for equal rows in any order, however often each is there.
Content = namedtuple("Content", "rows total parity")

MEGABYTE = 1024 * 1024


def read(spark, paths):
    """The rows of Parquet files, with every column that any of them has."""
    return spark.read.option("mergeSchema", "true").parquet(*paths)


def rewrite(rows, folder, files):
    """Writes rows to `files` files in a folder, whatever is in it, and returns what was written."""
    observed = Observation()
    # Few files of little data stay in order; more are filled evenly.
    placed = rows.coalesce(1) if files == 1 else rows.repartition(files)
    placed.observe(observed, *measures(rows.schema)).write.mode("overwrite").parquet(folder)
    return content(observed.get)


def measured(rows):
    """The content of rows, read anew."""
    return content(rows.agg(*measures(rows.schema)).collect()[0].asDict())


def measures(schema):
    """Aggregates that make a content. Columns are taken by name, so that their order does not count."""
    values = [comparable(field) for field in sorted(schema.fields, key=lambda field: field.name)]
    return (
        F.count(F.lit(1)).alias("rows"),
        F.sum(F.xxhash64(*values).cast("decimal(38,0)")).alias("total"),
        F.bit_xor(F.xxhash64(F.lit("parity"), *values)).alias("parity"),
    )


def comparable(field):
    """A column as something that can be hashed: null is not the same as what is empty, and a map's order does not count."""
    column = F.col(f"`{field.name}`")
    if isinstance(field.dataType, T.MapType):
        return F.struct(column.isNull(), F.array_sort(F.map_entries(column)))
    return F.struct(column.isNull(), column)


def content(found):
    return Content(found["rows"], str(found["total"]), found["parity"])


def wanted_files(size, target_bytes):
    """How many files hold `size` bytes when each has about `target_bytes`."""
    return max(1, round(size / target_bytes))
