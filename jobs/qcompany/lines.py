"""Reads a delivered file line by line with Spark: a record is a line, so a quote that never closes costs one line only."""

from collections import namedtuple

from pyspark.sql import functions as F

# A longer line holds a cell that no column of the contract can mean.
LONGEST_LINE = 64 * 1024
# More than any honest line has; bounds what the quote pattern below has to do.
MOST_QUOTES = 400
LONGEST_HEADER = 64 * 1024
INDEX_BITS = 33

# One field with the comma before it: quoted (quotes inside doubled) up to the next comma, or bare.
FIELD = r""",(?:"[^"]*+(?:""[^"]*+)*+"(?=,|$)|[^,"][^,]*+|(?=,|$))"""

# `header` is None where the file holds nothing at all.
Delivered = namedtuple("Delivered", "header lines")


def open_file(spark, path):
    """The header line of a file (text) and a DataFrame of its data lines: `_line_no` (the header's is 1) and `raw` bytes as text."""
    header = first_line(spark, path)
    if header is None:
        return Delivered(None, None)
    return Delivered(header, numbered_lines(spark, path).where("_line_no > 1 and btrim(raw, ' \\t\\r') <> ''"))


def first_line(spark, path):
    """The first line as text without byte order mark and line end; None for an empty file."""
    jvm = spark._jvm
    hadoop_path = jvm.org.apache.hadoop.fs.Path(path)
    stream = hadoop_path.getFileSystem(spark._jsc.hadoopConfiguration()).open(hadoop_path)
    try:
        text = jvm.org.apache.hadoop.io.Text()
        reader = jvm.org.apache.hadoop.util.LineReader(stream)
        if reader.readLine(text, LONGEST_HEADER, LONGEST_HEADER) == 0:
            return None
        return bytes(text.copyBytes()).decode("utf-8", "replace").lstrip("\ufeff").rstrip("\r\n")
    finally:
        stream.close()


def numbered_lines(spark, path):
    """Every physical line with its 1-based number, however many tasks read the file."""
    # The path is a name, not a pattern: a bracket or star in it is a letter.
    reader = spark.read.option("__globPaths__", "false").option("lineSep", "\n")
    lines = reader.text(path).select(F.col("value").alias("raw"), F.monotonically_increasing_id().alias("position"))
    split = F.shiftright("position", INDEX_BITS)
    index = F.col("position").bitwiseAND((1 << INDEX_BITS) - 1)
    base = F.lit(1)
    if lines.rdd.getNumPartitions() > 1:
        base = first_numbers(lines, split)
    return lines.select((index + base).alias("_line_no"), F.rtrim("raw", F.lit("\r")).alias("raw"))


def first_numbers(lines, split):
    """Expression: the number of the first line of the split that a row is in. Splits are in the order of the file."""
    counts = dict(lines.groupBy(split.alias("split")).count().collect())
    entries, first = [], 1
    for part in sorted(counts):
        entries += [F.lit(part), F.lit(first)]
        first += counts[part]
    return F.element_at(F.create_map(*entries), split.cast("int")) if entries else F.lit(1)


def with_fields(lines, width):
    """Adds `fields` (text of every field, null where the line cannot be cut) and `broken` (why it cannot be, or null)."""
    text = F.make_valid_utf8("raw")
    quotes = F.length("raw") - F.length(F.replace(F.col("raw"), F.lit('"'), F.lit("")))
    marked = F.concat(F.lit(","), text)
    matches = F.regexp_extract_all(marked, F.lit(FIELD), F.lit(0))
    quoted = F.when(F.concat_ws("", matches) == marked, F.transform(matches, unquoted))
    fields = (
        F.when(F.octet_length("raw") > LONGEST_LINE, F.lit(None))
        .when(quotes == 0, F.split(text, ",", -1))
        .when((quotes <= MOST_QUOTES) & (quotes % 2 == 0), quoted)
    )
    return lines.withColumn("fields", fields).withColumn(
        "broken",
        F.when(F.octet_length("raw") > LONGEST_LINE, F.lit("line_too_long"))
        .when(F.col("fields").isNull(), F.lit("quote_not_closed"))
        .when(F.size("fields") > width, F.lit("too_many_fields")),
    )


def unquoted(match):
    """The value of one match of FIELD."""
    field = F.substr(match, F.lit(2))
    inner = F.replace(F.substr(field, F.lit(2), F.length(field) - 2), F.lit('""'), F.lit('"'))
    return F.when(F.startswith(field, F.lit('"')), inner).otherwise(field)
