"""Runs jobs in one warm Spark session: a line of JSON in ({script, args}, {sql} or {query}), a line of JSON out."""

import io
import json
import os
import runpy
import sys
import time
import traceback
from contextlib import redirect_stdout

from pyspark.sql import SparkSession


def run_script(request):
    sys.argv = [request["script"], *request.get("args", [])]
    folder = os.path.dirname(request["script"])
    output = io.StringIO()
    with redirect_stdout(output):
        runpy.run_path(request["script"], run_name="__main__")
    for name, module in list(sys.modules.items()):
        if (getattr(module, "__file__", None) or "").startswith(folder):
            del sys.modules[name]
    return json.loads(output.getvalue().strip().splitlines()[-1])


def run_sql(spark, statement):
    rows = spark.newSession().sql(statement)
    return [json.loads(line) for line in rows.toJSON().collect()] if rows.columns else []


def run_query(spark, statement):
    return [[cell(value) for value in row] for row in spark.newSession().sql(statement).collect()]


def cell(value):
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)


def main():
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    spark = SparkSession.builder.enableHiveSupport().getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    replies.write(json.dumps({"ready": True}) + "\n")
    replies.flush()
    for line in sys.stdin:
        request = json.loads(line)
        started = time.monotonic()
        try:
            if "script" in request:
                value = run_script(request)
            elif "query" in request:
                value = run_query(spark, request["query"])
            else:
                value = run_sql(spark, request["sql"])
            reply = {"value": value}
        except BaseException as error:
            reply = {"error": str(error), "trace": traceback.format_exc()}
        replies.write(json.dumps({**reply, "seconds": round(time.monotonic() - started, 2)}) + "\n")
        replies.flush()


if __name__ == "__main__":
    main()
