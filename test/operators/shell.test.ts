import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import type { z } from "zod";
import { Skip } from "../../src/dag/signals.ts";
import { QflowError } from "../../src/errors.ts";
import type { Database } from "../../src/metadata/database.ts";
import { run } from "../../src/operators/shell.run.ts";
import { shellSchema } from "../../src/operators/shell.ts";
import { findByMarker } from "../../src/processes/table.ts";
import { operatorContext } from "../support/operator-context.ts";

async function shell(t: ExecutionContext, config: z.input<typeof shellSchema>, signal?: AbortSignal) {
  const home = await mkdtemp(join(tmpdir(), "qflow-shell-"));
  t.teardown(() => rm(home, { recursive: true, force: true }));
  const { context, recorded } = operatorContext({
    database: {} as Database,
    home,
    env: {
      PATH: process.env.PATH ?? "",
      HOME: "/root",
      SECRET_OF_WORKER: "x",
      QFLOW_CONN_DB: "postgres://u:pa55word@h/",
    },
    connections: [
      { id: "db", kind: "postgres", host: "h", port: 0, user: "u", password: "pa55word", path: "/", options: {} },
    ],
    ...(signal ? { signal } : {}),
  });
  return { done: run(shellSchema.parse(config), context), recorded, context, home };
}

async function value(t: ExecutionContext, config: z.input<typeof shellSchema>) {
  return (await shell(t, config)).done;
}

async function failure(t: ExecutionContext, config: z.input<typeof shellSchema>): Promise<QflowError> {
  return (await t.throwsAsync(value(t, config), { instanceOf: QflowError })) as QflowError;
}

const bash = (script: string) => ["bash", "-c", script];

test("arguments reach the program as they are, and its output is the value as asked", async (t) => {
  t.is(
    await value(t, { command: ["printf", "%s|", "$HOME", "a b; rm -rf /", "*"], output: "text" }),
    "$HOME|a b; rm -rf /|*|",
  );
  t.is(await value(t, { command: bash("echo one; echo two; echo") }), "two");
  t.deepEqual(await value(t, { command: ["cat"], stdin: '{"a": [1]}', output: "json" }), { a: [1] });
  t.is(await value(t, { command: ["echo", "x"], output: "none" }), null);
});

test("the environment holds what is allowed and given, never the worker's own", async (t) => {
  const text = String(
    await value(t, { command: ["env"], env: { REGION: "eu" }, passwords: { PGPASSWORD: "db" }, output: "text" }),
  );
  t.regex(text, /^REGION=eu$/m);
  t.regex(text, /^PGPASSWORD=pa55word$/m);
  t.regex(text, /^QFLOW_TASK_ID=task$/m);
  t.regex(text, /^PATH=/m);
  t.notRegex(text, /SECRET_OF_WORKER|QFLOW_CONN_DB/);
});

test("the working folder is empty, private, and gone afterwards", async (t) => {
  const { done, home } = await shell(t, { command: bash("pwd; stat -c %a .; ls -A; touch left"), output: "text" });
  const [folder, mode, ...rest] = String(await done)
    .trim()
    .split("\n");
  t.true(folder?.startsWith(join(home, "tmp", "shell-")));
  t.is(mode, "700");
  t.deepEqual(rest, []);
  t.deepEqual(await readdir(join(home, "tmp")), []);
});

test("exit codes fail, refuse or skip, with the last lines", async (t) => {
  const failed = await failure(t, { command: bash("echo fine; echo the reason >&2; exit 3") });
  t.is(failed.code, "SHELL_FAILED");
  t.is(failed.retry, "retryable");
  t.regex(failed.message, /bash ended with exit code 3; it last printed:\nfine\nthe reason/);
  t.deepEqual(failed.details, { exitCode: 3 });
  t.is((await failure(t, { command: bash("exit 4"), fatalOn: [4] })).retry, "fatal");
  await t.throwsAsync(value(t, { command: bash("exit 99"), skipOn: [99] }), { instanceOf: Skip });
});

test("what cannot be started, is killed, or prints what it should not, says so", async (t) => {
  t.is((await failure(t, { command: ["no-such-program"] })).code, "SHELL_NOT_STARTED");
  t.is((await failure(t, { command: ["true"], cwd: "/no/such/folder" })).code, "SHELL_NOT_STARTED");
  const killed = await failure(t, { command: bash("kill -9 $$") });
  t.is(killed.code, "SHELL_KILLED");
  t.regex(killed.message, /killed by signal 9 \(likely out of memory\)/);
  t.is((await failure(t, { command: ["echo", "{"], output: "json" })).code, "SHELL_OUTPUT");
  t.is((await failure(t, { command: ["echo", "much"], output: "text", maxBytes: 3 })).code, "SHELL_OUTPUT");
});

test("a bash is no login from afar: the settings of the worker's own shell are not read", async (t) => {
  const HOME = await mkdtemp(join(tmpdir(), "qflow-shell-home-"));
  t.teardown(() => rm(HOME, { recursive: true, force: true }));
  await writeFile(join(HOME, ".bashrc"), "echo read\n");
  for (const stdin of [undefined, "given"]) {
    t.is(
      await value(t, { command: bash("cat; echo done"), env: { HOME }, stdin, output: "text" }),
      `${stdin ?? ""}done\n`,
    );
  }
});

test("output is logged by line, also lines without end and half characters", async (t) => {
  const { done, recorded } = await shell(t, {
    command: bash("printf 'a\\r\\nb'; sleep 0.05; printf 'c\\n'; head -c 40000 /dev/zero | tr '\\0' x; echo err >&2"),
  });
  await done;
  const texts = recorded.lines.map(({ level, message }) => [level, message.length > 100 ? message.length : message]);
  t.deepEqual(
    texts.filter(([level]) => level === "info"),
    [
      ["info", "a"],
      ["info", "bc"],
      ["info", 32_768],
      ["info", 40_000 - 32_768],
    ],
  );
  t.deepEqual(
    texts.filter(([level]) => level === "warn"),
    [["warn", "err"]],
  );
});

test("a stopped attempt ends the program and all that it started, also what left its group", async (t) => {
  const stop = new AbortController();
  const { done, recorded, context } = await shell(
    t,
    { command: bash("setsid sleep 600 & trap '' TERM; echo ready; while true; do sleep 0.05; done") },
    stop.signal,
  );
  done.catch(() => {});
  while (!recorded.lines.some(({ message }) => message === "ready")) await new Promise((next) => setTimeout(next, 10));
  t.true((await findByMarker("QFLOW_ATTEMPT", context.attempt.token)).length >= 2);
  stop.abort(new Error("cancelled"));
  await t.throwsAsync(done, { message: "cancelled" });
  t.deepEqual(await findByMarker("QFLOW_ATTEMPT", context.attempt.token), []);
});

test("what a program leaves in the background is ended with it", async (t) => {
  const { done, context } = await shell(t, { command: bash("sleep 600 >/dev/null 2>&1 & echo started") });
  t.is(await done, "started");
  t.deepEqual(await findByMarker("QFLOW_ATTEMPT", context.attempt.token), []);
});
