"""The stream's sink, after statements that make its tables: `FILE` with them as JSON, then the sink's own arguments."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../jobs"))

import stream_sink
from pyspark.sql import SparkSession

spark = SparkSession.builder.enableHiveSupport().getOrCreate()
with open(sys.argv.pop(1)) as file:
    for statement in json.load(file):
        spark.sql(statement)
stream_sink.main()
