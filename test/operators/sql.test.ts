import test, { type ExecutionContext } from "ava";
import type { z } from "zod";
import { parseConnectionUrl } from "../../src/config.ts";
import { type ErrorCode, QflowError, type RetryClass } from "../../src/errors.ts";
import type { Database } from "../../src/metadata/database.ts";
import { run } from "../../src/operators/sql.run.ts";
import { sqlSchema } from "../../src/operators/sql.ts";
import { testDatabase } from "../support/database.ts";
import { operatorContext } from "../support/operator-context.ts";

type Given = Omit<z.input<typeof sqlSchema>, "connection">;

function runSql(db: Database, given: Given, options: { signal?: AbortSignal; permit?: () => Promise<void> } = {}) {
  const connections = [parseConnectionUrl("pg", "test", db.url)];
  const { context, recorded } = operatorContext({ database: db, home: "/nowhere", connections, ...options });
  return { done: run(sqlSchema.parse({ connection: "pg", ...given }), context), recorded };
}

async function failure(t: ExecutionContext, db: Database, given: Given): Promise<QflowError> {
  return (await t.throwsAsync(runSql(db, given).done, { instanceOf: QflowError })) as QflowError;
}

async function database(t: ExecutionContext): Promise<Database> {
  const db = await testDatabase(t);
  await db.query("create table thing (id integer primary key, name text)");
  return db;
}

test("statements run in one transaction with bound values; the last one's rows are the value", async (t) => {
  const db = await database(t);
  const { done, recorded } = runSql(db, {
    statements: [
      { sql: "insert into thing values ($1, $2), (2, 'b')", params: [1, "x'; drop table thing; --"] },
      { sql: "update thing set name = upper(name) where id = $1", params: [2] },
      { sql: "select id, name from thing order by id" },
    ],
  });
  t.deepEqual(await done, {
    rows: [
      { id: 1, name: "x'; drop table thing; --" },
      { id: 2, name: "B" },
    ],
    truncated: false,
    affected: [2, 1, 2],
  });
  t.is(recorded.permits, 1);
});

test("a failing statement undoes those before it", async (t) => {
  const db = await database(t);
  const error = await failure(t, db, {
    statements: [{ sql: "insert into thing values (1, 'a')" }, { sql: "insert into thing values (1, 'b')" }],
  });
  t.is(error.code, "SQL_FAILED");
  t.is((await db.query("select from thing")).rowCount, 0);
});

test("an attempt that lost its task keeps nothing", async (t) => {
  const db = await database(t);
  const permit = async () => {
    throw new QflowError("FENCED", "not yours");
  };
  const { done } = runSql(db, { statements: [{ sql: "insert into thing values (1, 'a')" }] }, { permit });
  t.is(((await t.throwsAsync(done)) as QflowError).code, "FENCED");
  t.is((await db.query("select from thing")).rowCount, 0);
});

test("rows are cut at the limit and come exact: no float, no zone of this machine", async (t) => {
  const db = await database(t);
  const many = await runSql(db, { statements: [{ sql: "select generate_series(1, 1000000) as n" }], maxRows: 2 }).done;
  t.deepEqual(many, { rows: [{ n: 1 }, { n: 2 }], truncated: true, affected: [null] });
  const typed = await runSql(db, {
    statements: [
      {
        sql: `select 9007199254740993 as big, 1.10::numeric as exact, date '2026-03-01' as day, timestamp '2026-03-01 10:00' as wall,
          timestamptz '2026-03-01 10:00+02' as instant, '{"a":[1]}'::jsonb as doc, array[1,2] as list, null as nothing, true as yes`,
      },
    ],
  }).done;
  t.deepEqual(typed.rows[0], {
    big: "9007199254740993",
    exact: "1.10",
    day: "2026-03-01",
    wall: "2026-03-01 10:00:00",
    instant: "2026-03-01T08:00:00.000Z",
    doc: { a: [1] },
    list: [1, 2],
    nothing: null,
    yes: true,
  });
});

test("the code says what is wrong and whether it is tried again", async (t) => {
  const db = await database(t);
  const cases: [Given, ErrorCode, RetryClass][] = [
    [{ statements: [{ sql: "selec 1" }] }, "SQL_INVALID", "fatal"],
    [{ statements: [{ sql: "select * from nowhere" }] }, "SQL_INVALID", "fatal"],
    [{ statements: [{ sql: "select 1; drop table thing" }] }, "SQL_INVALID", "fatal"],
    [{ statements: [{ sql: "insert into thing values (1, 'a')" }], mode: "read only" }, "SQL_INVALID", "fatal"],
    [{ statements: [{ sql: "select pg_sleep(10)" }], statementSeconds: 0.05 }, "SQL_TIMEOUT", "retryable"],
    [{ statements: [{ sql: "rollback" }] }, "SQL_INVALID", "fatal"],
  ];
  for (const [given, code, retry] of cases) {
    const error = await failure(t, db, given);
    t.is(error.code, code, given.statements[0]?.sql);
    t.is(error.retry, retry);
  }
  const nobody = { ...db, url: "postgres://u:p@127.0.0.1:1/none" };
  t.is((await failure(t, nobody, { statements: [{ sql: "select 1" }] })).code, "SQL_UNAVAILABLE");
});

test("a stopped attempt stops its statement on the server", async (t) => {
  const db = await database(t);
  const stop = new AbortController();
  const { done } = runSql(db, { statements: [{ sql: "select pg_sleep(600) /* mine */" }] }, { signal: stop.signal });
  const running = async () => {
    const found = await db.query(
      "select from pg_stat_activity where query like '%/* mine */' and state = 'active' and pid <> pg_backend_pid()",
    );
    return found.rowCount ?? 0;
  };
  while ((await running()) === 0) await new Promise((next) => setTimeout(next, 10));
  stop.abort(new Error("cancelled"));
  await t.throwsAsync(done, { message: "cancelled" });
  // The server shows a statement for a moment after it has told of its end.
  while ((await running()) > 0) await new Promise((next) => setTimeout(next, 10));
  t.is(await running(), 0);
});
