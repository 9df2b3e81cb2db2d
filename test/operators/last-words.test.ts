import test from "ava";
import { LastWords } from "../../src/operators/spark/last-words.ts";

function summary(...lines: string[]): string {
  const words = new LastWords();
  for (const line of lines) words.add(line);
  return words.summary();
}

test("the last Python exception, with the application's own line", (t) => {
  t.is(
    summary(
      "some output",
      "Traceback (most recent call last):",
      '  File "/app/jobs/load.py", line 12, in <module>',
      "    main()",
      '  File "/opt/lib/python3.11/site-packages/pyspark/sql/session.py", line 1810, in sql',
      "    return DataFrame(...)",
      "pyspark.errors.exceptions.captured.AnalysisException: [TABLE_OR_VIEW_NOT_FOUND] no such table; line 1 pos 14;",
      "'Project ['nope]",
      "+- 'UnresolvedRelation [nowhere]",
      "",
      "2026-11-22T10:00:00.000Z WARN ShutdownHookManager: late",
    ),
    "pyspark.errors.exceptions.captured.AnalysisException: [TABLE_OR_VIEW_NOT_FOUND] no such table; line 1 pos 14;\n" +
      "'Project ['nope]\n+- 'UnresolvedRelation [nowhere] (load.py:12)",
  );
});

test("a chained exception is told by its last one", (t) => {
  t.is(
    summary(
      "Traceback (most recent call last):",
      '  File "a.py", line 1, in <module>',
      "KeyError: 'x'",
      "",
      "During handling of the above exception, another exception occurred:",
      "",
      "Traceback (most recent call last):",
      '  File "/jobs/a.py", line 3, in <module>',
      "ValueError: no x",
    ),
    "ValueError: no x (a.py:3)",
  );
});

test("without a traceback Java's cause, and without that the last lines", (t) => {
  t.is(
    summary(
      'Exception in thread "main" org.apache.spark.SparkException: a',
      "\tat b",
      "Caused by: java.io.IOException: full",
    ),
    "Caused by: java.io.IOException: full",
  );
  t.is(summary("java.lang.OutOfMemoryError: Java heap space"), "java.lang.OutOfMemoryError: Java heap space");
  t.is(summary("one", "two", "three", "four"), "two\nthree\nfour");
  t.is(summary(), "");
});

test("a million lines keep only the end, and a long message is cut", (t) => {
  const words = new LastWords();
  for (let i = 0; i < 1_000_000; i++) words.add(`line ${i}`);
  t.is(words.summary(), "line 999997\nline 999998\nline 999999");
  t.true(summary("x".repeat(5000)).length < 900);
});
