// On the real Spark Thrift Server with its metastore; engines are installed when they are not.
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import anyTest, { type TestFn } from "ava";
import { loadConfig } from "../../src/config.ts";
import type { Connection } from "../../src/dag/operator.ts";
import { progressOn, type RunningEngines, startEngines } from "../../src/engines/index.ts";
import type { QflowError } from "../../src/errors.ts";
import { type HiveSession, openHive } from "../../src/operators/clients/hive.ts";
import { run as csvReport } from "../../src/operators/csv-report.run.ts";
import { csvReportSchema } from "../../src/operators/csv-report.ts";
import { run as hiveDdl } from "../../src/operators/hive-ddl.run.ts";
import { hiveDdlSchema } from "../../src/operators/hive-ddl.ts";
import { run as hiveQuery } from "../../src/operators/hive-query.run.ts";
import { hiveQuerySchema } from "../../src/operators/hive-query.ts";
import { testDatabase } from "../support/database.ts";
import { type FakeFtp, startFakeFtp } from "../support/fake-ftp.ts";
import { operatorContext } from "../support/operator-context.ts";

interface Engines {
  home: string;
  engines: RunningEngines;
  connection: Connection;
  session: HiveSession;
}

const test = anyTest as TestFn<Engines>;
const LIMITS = { timeoutMs: 120_000 };
const shared: Partial<Engines> = {};

test.serial.before("the endpoint comes up", async (t) => {
  t.timeout(400_000);
  const home = await mkdtemp(join(tmpdir(), "qflow-hive-"));
  const config = loadConfig({ ...process.env, QFLOW_HOME: home });
  const engines = await startEngines(config, {
    progress: progressOn(process.stderr),
    names: ["postgres", "hive"],
    onEvent: () => {},
  });
  Object.assign(shared, { home, engines });
  const connection = loadConfig(engines.environment()).connections.hive_default;
  if (!connection) throw new Error("no connection");
  Object.assign(shared, { connection, session: await openHive(connection) });
});

test.serial.after.always("everything is stopped", async () => {
  await shared.session?.close();
  await shared.engines?.stop();
  if (shared.home) await rm(shared.home, { recursive: true, force: true });
});

test.beforeEach((t) => {
  Object.assign(t.context, shared);
});

async function sql(session: HiveSession, statement: string) {
  return (await session.query(statement, { ...LIMITS, maxRows: 1000 })).rows;
}

test.serial("64-bit integers and decimals are exact; dates, nulls and text come as they are", async (t) => {
  const rows = await sql(
    t.context.session,
    "select 9223372036854775807, cast('12345678901234567890.12' as decimal(22,2)), date'2023-05-20', null, 'ü🙂', true, 1.5D, array(1,2)",
  );
  t.deepEqual(rows[0]?.slice(0, 7), [
    "9223372036854775807",
    "12345678901234567890.12",
    "2023-05-20",
    null,
    "ü🙂",
    true,
    1.5,
  ]);
});

test.serial("sessions that come and go at once do not disturb each other", async (t) => {
  const visitor = async () => {
    for (let n = 0; n < 40; n++) await (await openHive(t.context.connection)).close();
  };
  await t.notThrowsAsync(Promise.all(Array.from({ length: 8 }, visitor)));
});

test.serial("a hundred thousand rows stream in portions", async (t) => {
  let rows = 0;
  let largest = 0;
  for await (const portion of t.context.session.stream("select id from range(100000)", LIMITS)) {
    rows += portion.rows.length;
    largest = Math.max(largest, portion.rows.length);
  }
  t.is(rows, 100_000);
  t.true(largest <= 10_000);
});

test.serial(
  "errors say what is wrong; a statement that takes too long, or is cancelled, stops on the server",
  async (t) => {
    const { session, connection } = t.context;
    for (const [statement, code] of [
      ["selec 1", "HIVE_QUERY_INVALID"],
      ["select * from nowhere.nothing", "HIVE_QUERY_INVALID"],
      ["select assert_true(false)", "HIVE_FAILED"],
    ] as const) {
      const error = await t.throwsAsync(sql(session, statement));
      t.is((error as QflowError).code, code, error?.message);
      t.false(error?.message.includes("\tat "));
    }
    const long = "select count(*) from range(0, 100000000000, 1, 4) where pmod(hash(id), 7) = 9";
    const late = await t.throwsAsync(session.execute(long, { timeoutMs: 2_000 }));
    t.is((late as QflowError).code, "HIVE_TIMEOUT");
    const abort = new AbortController();
    setTimeout(() => abort.abort(new Error("cancelled")), 2_000);
    await t.throwsAsync(session.execute(long, { ...LIMITS, signal: abort.signal }), { message: "cancelled" });
    const other = await openHive(connection);
    t.deepEqual(await sql(other, "select 1"), [[1]], "the server is free again");
    await other.close();
  },
);

test.serial("desired state: created, extended, repeated without effect, refused as a whole", async (t) => {
  const { home, connection, session } = t.context;
  const database = await testDatabase(t);
  const apply = async (config: unknown) => {
    const { context } = operatorContext({ database, home, connections: [{ ...connection, id: "hive" }] });
    return hiveDdl(hiveDdlSchema.parse(config), context);
  };
  const table = {
    name: "shop.sales",
    columns: [
      { name: "id", type: "string", comment: "it's the key" },
      { name: "price", type: "decimal(10, 2)" },
    ],
    partitionedBy: [{ name: "day", type: "date" }],
    comment: "Sales, one row each",
    properties: { owner_team: "data" },
  };
  const wanted = {
    connection: "hive",
    databases: [{ name: "shop", comment: "The shop" }],
    tables: [table],
    views: [{ name: "shop.latest", query: "select max(day) as day from shop.sales" }],
  };
  t.is((await apply(wanted)).length, 3);
  t.deepEqual(await apply(wanted), []);
  await session.execute("insert into shop.sales values ('a', 1.50, date'2024-01-01')", LIMITS);

  const more = {
    ...table,
    columns: [...table.columns, { name: "extra", type: "bigint", comment: "new" }],
    comment: "Changed",
    properties: { owner_team: "data", pii_columns: "id" },
  };
  const extended = await apply({ ...wanted, tables: [more] });
  t.is(extended.length, 3, extended.join("\n"));
  t.deepEqual(await apply({ ...wanted, tables: [more] }), []);
  t.deepEqual(await sql(session, "select * from shop.sales"), [["a", "1.50", null, "2024-01-01"]]);

  const losing = { ...more, columns: [{ name: "price", type: "string" }], partitionedBy: [] };
  const created = { name: "shop.other", columns: [{ name: "x", type: "int" }] };
  const error = await t.throwsAsync(apply({ ...wanted, tables: [created, losing] }));
  t.is((error as QflowError).code, "DDL_REFUSED");
  for (const part of ["column id", "column extra", "column price", "partitioned by"])
    t.true(error?.message.includes(part));
  t.deepEqual(await sql(session, "show tables in shop like 'other'"), [], "nothing was run");

  await session.execute("drop view shop.latest", LIMITS);
  t.is((await apply({ ...wanted, tables: [more] })).length, 1, "what a killed attempt left undone is done");
});

test.serial(
  "a report: one file a changed partition, the same bytes again, vanished partitions emptied, delivered",
  async (t) => {
    t.timeout(300_000);
    const { home, connection, session } = t.context;
    const database = await testDatabase(t);
    const ftp = await startFakeFtp();
    t.teardown(() => ftp.stop());
    const report = reporter({ home, database, connection, ftp });
    await session.execute("create database if not exists rep", LIMITS);
    await session.execute(
      "create table rep.perf (agent string, product string, units bigint, seq bigint, day date)",
      LIMITS,
    );
    await session.execute(
      `insert into rep.perf values
      ('b', 'x', 9007199254740993, 1, date'2024-01-01'), ('B', 'x', 2, 1, date'2024-01-01'), ('=é', 'a,"q"', -3, 1, date'2024-01-01'),
      ('🙂', 'x', 1, 1, date'2024-01-01'), ('\\uffee', 'x', 1, 1, date'2024-01-01'), ('z', null, 1, 1, date'2024-01-02')`,
      LIMITS,
    );
    const first = await report();
    const path = join(home, "reports/b2b/perf_2024-01-01.csv");
    t.is(
      await readFile(path, "utf8"),
      'agent,product,units\r\n\'=é,"a,""q""",-3\r\nB,x,2\r\nb,x,9007199254740993\r\n\uffee,x,1\r\n🙂,x,1\r\n',
    );
    t.deepEqual(
      first.files.map((file) => [file.partition, file.rows, file.changed]),
      [
        ["2024-01-01", 5, true],
        ["2024-01-02", 1, true],
      ],
    );
    t.deepEqual([...ftp.files.keys()].sort(), ["/out/perf_2024-01-01.csv", "/out/perf_2024-01-02.csv"]);
    const { mtimeMs } = await stat(path);
    t.deepEqual((await report()).files, [], "nothing changed");

    await writeFile(path, "tampered");
    await writeFile(join(home, "reports/b2b/.perf_2024-01-01.csv.dead.tmp"), "half");
    t.deepEqual(
      (await report()).files.map((file) => file.partition),
      ["2024-01-01"],
    );
    t.true((await readFile(path, "utf8")).startsWith("agent,product,units\r\n"));
    t.not((await stat(path)).mtimeMs, mtimeMs);
    t.deepEqual((await readdir(join(home, "reports/b2b"))).sort(), ["perf_2024-01-01.csv", "perf_2024-01-02.csv"]);

    await session.execute("insert overwrite rep.perf values ('b', 'x', 9007199254740994, 2, date'2024-01-01')", LIMITS);
    const changed = await report();
    t.deepEqual(changed.emptied, ["2024-01-02"]);
    t.is(changed.watermark, "2");
    t.is(await readFile(path, "utf8"), "agent,product,units\r\nb,x,9007199254740994\r\n");
    t.is(await readFile(join(home, "reports/b2b/perf_2024-01-02.csv"), "utf8"), "agent,product,units\r\n");

    await database.query("delete from report_ledger");
    const again = await report();
    t.deepEqual(
      again.files.map((file) => file.changed),
      [false],
      "an attempt killed before the ledger writes the same bytes",
    );
  },
);

function reporter(world: {
  home: string;
  database: Awaited<ReturnType<typeof testDatabase>>;
  connection: Connection;
  ftp: FakeFtp;
}) {
  return async () => {
    const { context } = operatorContext({
      database: world.database,
      home: world.home,
      connections: [
        { ...world.connection, id: "hive" },
        { ...world.ftp.connection, id: "out" },
      ],
    });
    const config = csvReportSchema.parse({
      connection: "hive",
      report: "perf",
      query: "select day, seq, agent, product, units from rep.perf",
      partitionBy: "day",
      changedBy: "seq",
      columns: ["agent", "product", "units"],
      fileName: "perf_{partition}.csv",
      directory: "b2b",
      deliver: { connection: "out", path: "/out" },
    });
    return csvReport(config, context);
  };
}

test.serial("hiveQuery answers rows by column up to its limit, and says what is wrong with a statement", async (t) => {
  const { context } = operatorContext({
    database: await testDatabase(t),
    home: t.context.home,
    connections: [t.context.connection],
  });
  const ask = (query: string, maxRows = 1000) =>
    hiveQuery(hiveQuerySchema.parse({ connection: t.context.connection.id, query, maxRows }), context);
  const found = await ask("select id, cast(id as bigint) * 9007199254740993 as big from range(1, 4) order by id", 2);
  t.deepEqual(found.rows, [
    { id: "1", big: "9007199254740993" },
    { id: "2", big: "18014398509481986" },
  ]);
  t.true(found.truncated);
  t.is(((await t.throwsAsync(ask("selec 1"))) as QflowError).code, "HIVE_QUERY_INVALID");
});

test.serial("a stopped hiveQuery is cancelled on the server", async (t) => {
  const stop = new AbortController();
  const { context } = operatorContext({
    database: await testDatabase(t),
    home: t.context.home,
    connections: [t.context.connection],
    signal: stop.signal,
  });
  const query = "select count(*) from range(0, 1000000000000)";
  const asked = hiveQuery(hiveQuerySchema.parse({ connection: t.context.connection.id, query }), context);
  setTimeout(() => stop.abort(new Error("cancelled")), 1_000);
  await t.throwsAsync(asked, { message: "cancelled" });
});
