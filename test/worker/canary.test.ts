import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { zstdDecompressSync } from "node:zlib";
import test from "ava";
import { serveApi } from "../../src/api/server.ts";
import { loadConfig } from "../../src/config.ts";
import { createToken, createUser } from "../../src/metadata/access.ts";
import { type ConnectionDraft, type ConnectionSecret, writeConnection } from "../../src/metadata/connections.ts";
import type { Database } from "../../src/metadata/database.ts";
import { openOrCreateKeyring } from "../../src/metadata/secrets/keyring.ts";
import { writeVariable } from "../../src/metadata/variables.ts";
import { attempts, bench, deploy, runEnd, trigger } from "./support.ts";

/** Twelve secrets, odd ones among them; six of connections (password or option), six of variables. */
const CANARIES = [
  "canary-01-plain",
  'canary-02 "quoted" \\ & <tag>',
  "canary-03-ünïcödé-密码",
  "canary-04+/=?#%&:@",
  "canary-05\nline-two-of-05\nline-three-of-05",
  "canary-06-0123456789012345678901234567890123456789012345678901234567890123456789",
  "canary-07-variable",
  "canary-08 with spaces and 'quotes'",
  "canary-09-$HOME-`id`-$(id)",
  'canary-10-{"json":"inside"}',
  "canary-11-emoji-🔑🔒",
  "canary-12-tab\tand-more",
];

/** What an outsider would look for: the secret, a line of it, and how programs commonly write it. */
function tellTales(secret: string): string[] {
  const bytes = Buffer.from(secret);
  return [
    secret,
    ...secret.split("\n"),
    JSON.stringify(secret).slice(1, -1),
    encodeURIComponent(secret),
    bytes.toString("base64").replace(/=+$/, ""),
    bytes.toString("base64url"),
    bytes.toString("hex"),
    // The number alone, so that no half of one is left.
    secret.slice(0, 9),
  ];
}

const TASK = `
  const secrets = [...Array(6).keys()].map((i) => i % 2 ? ctx.connection("c" + i).options.api_token : ctx.connection("c" + i).password)
    .concat([...Array(6).keys()].map((i) => ctx.variable("v" + (i + 6) + "_secret")));
  for (const secret of secrets) {
    const bytes = Buffer.from(secret);
    const forms = [secret, JSON.stringify({ secret }), JSON.stringify(JSON.stringify({ secret })), encodeURIComponent(secret),
      new URLSearchParams({ secret }).toString(), bytes.toString("base64"), bytes.toString("base64url"), bytes.toString("hex"),
      Buffer.from("user:" + secret).toString("base64"), Buffer.from("ab" + secret + "cd").toString("base64")];
    for (const form of forms) {
      console.log("log " + form + " end");
      console.error(form);
      ctx.log.warn("field", { form });
      process.stdout.write(form.slice(0, 9)); process.stdout.write(form.slice(9) + "\\n");
      console.log(form.slice(0, 12)); console.log(form.slice(12));
    }
    console.log(new Error("stack " + secret));
  }
  await new Promise((go) => setTimeout(go, 300));
  if (ctx.params.how === "return") return { deep: [secrets[0], secrets[7]] };
  const error = new Error("failed with " + secrets.join(" | "));
  error.cause = new Error("because " + secrets[3]);
  throw error;
`;

test("twelve planted secrets are found nowhere: logs, errors, values, answers, plain columns, arguments, worker output", async (t) => {
  const { db, home, warnings, worker } = await bench(t);
  const source = { home, secretKeys: [] };
  const { active } = await openOrCreateKeyring(source);
  for (const [i, secret] of CANARIES.slice(0, 6).entries()) {
    const draft: Omit<ConnectionDraft, keyof ConnectionSecret> = {
      id: `c${i}`,
      kind: "x",
      host: "h",
      port: 1,
      login: "u",
      path: "",
      description: null,
    };
    const hidden: ConnectionSecret =
      i % 2 ? { password: "", extra: { api_token: secret } } : { password: secret, extra: {} };
    await writeConnection(db, active, { ...draft, ...hidden }, "create");
  }
  for (const [i, value] of CANARIES.slice(6).entries()) {
    await writeVariable(db, active, { key: `v${i + 6}_secret`, value, description: null, secret: true }, "create");
  }
  await deploy(
    db,
    `import { dag } from "qflow"; import { z } from "zod";
     export default dag("canary", { params: z.object({ how: z.string() }) }, (t) => { t.task("t", async (inputs, ctx) => { ${TASK} }); });`,
  );
  const runs = [await trigger(db, "canary", { how: "throw" }), await trigger(db, "canary", { how: "return" })];
  const seen = await argumentsOf([...worker.pids.runners, ...worker.pids.host, process.pid]);
  for (const run of runs) t.is((await runEnd(db, run)).state, "failed");
  t.is((await attempts(db, runs[0] as number))[0]?.error?.code, "TASK_FAILED");
  t.is((await attempts(db, runs[1] as number))[0]?.error?.code, "RESULT_SECRET");

  const places: Record<string, string> = {
    logs: await logsOf(db),
    columns: await plainColumns(db),
    answers: await answersOf(t, db, home),
    arguments: seen,
    warnings: warnings.join("\n"),
  };
  t.true((places.logs?.length ?? 0) > 10_000);
  for (const [place, text] of Object.entries(places)) {
    for (const [i, secret] of CANARIES.entries()) {
      // Lines of one stream joined: what was written piece by piece must not come together again.
      const joined = text.replaceAll(/\n/g, "");
      for (const tale of tellTales(secret)) {
        if (tale.length < 9) continue;
        t.false(text.includes(tale) || joined.includes(tale), `${place}: secret ${i + 1} as ${tale}`);
      }
    }
  }
});

async function logsOf(db: Database): Promise<string> {
  const chunks = await db.query<{ codec: string; data: Buffer }>(
    "select codec, data from log_chunk order by attempt_id, first_line",
  );
  const lines = chunks.rows.flatMap(
    ({ codec, data }) =>
      JSON.parse((codec === "zstd" ? zstdDecompressSync(data) : data).toString()) as [string, string, string][],
  );
  const streams = Map.groupBy(lines, ([, level]) => level);
  return [...streams.values()].map((of) => of.map(([, , text]) => text).join("\n")).join("\n");
}

/** Every row of every table as text; sealed values and log chunks are no plain columns. */
async function plainColumns(db: Database): Promise<string> {
  const tables = await db.query<{ name: string }>(
    "select relname as name from pg_class where relkind in ('r', 'p') and relnamespace = 'public'::regnamespace and not relispartition and relname <> 'log_chunk'",
  );
  const texts: string[] = [];
  for (const { name } of tables.rows) {
    const rows = await db.query<{ row: string }>(`select x::text as row from ${name} x`);
    // The bundle is the test's own text.
    if (name !== "bundle") texts.push(...rows.rows.map(({ row }) => row));
  }
  return texts.join("\n");
}

async function answersOf(t: Parameters<typeof bench>[0], db: Database, home: string): Promise<string> {
  const config = loadConfig({ QFLOW_PORT: "0", QFLOW_HOME: home });
  const api = await serveApi({ database: db, config, query: null, version: "0" }, () => {});
  t.teardown(() => api.close());
  await createUser(db, "admin", "admin");
  const { token } = await createToken(db, { name: "t", user: "admin", days: 1 });
  const paths = [
    "connections",
    "variables",
    ...CANARIES.slice(0, 6).map((_, i) => `connections/c${i}`),
    ...CANARIES.slice(6).map((_, i) => `variables/v${i + 6}_secret`),
    "dags/canary/dagRuns",
    "dags/~/dagRuns/~/taskInstances",
    "dags/canary/dagRuns/nothing",
  ];
  const answers = await Promise.all(
    paths.map((path) =>
      fetch(`${api.url}/api/v2/${path}`, { headers: { authorization: `Bearer ${token}` } }).then((r) => r.text()),
    ),
  );
  return answers.join("\n");
}

/** Arguments and environment names of the processes and their children. */
async function argumentsOf(pids: readonly number[]): Promise<string> {
  const { stdout } = await promisify(execFile)("ps", ["-eo", "args"]);
  const environments = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/environ`, "utf8").catch(() => "")));
  await readdir("/proc");
  return [stdout, ...environments].join("\n");
}
