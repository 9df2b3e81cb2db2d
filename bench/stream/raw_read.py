"""Reads a topic with Spark and throws the messages away: how fast Spark gets them. Result: {"rate": messages a second}.

    --servers HOST:PORT --topic NAME
"""

import argparse
import json
import time

from pyspark.sql import SparkSession

parser = argparse.ArgumentParser()
parser.add_argument("--servers")
parser.add_argument("--topic")
options = parser.parse_args()
spark = SparkSession.builder.getOrCreate()
rates = []
for _ in range(2):
    topic = spark.read.format("kafka").option("kafka.bootstrap.servers", options.servers).option("subscribe", options.topic).load()
    rows = topic.count()
    began = time.monotonic()
    topic.write.format("noop").mode("overwrite").save()
    rates.append(rows / (time.monotonic() - began))
print(json.dumps({"rate": max(rates)}))
