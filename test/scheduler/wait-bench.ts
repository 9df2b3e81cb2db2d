/** One scheduler's look at waits, for tests. */
import type { ExecutionContext } from "ava";
import type { Connection } from "../../src/dag/operator.ts";
import type { Json } from "../../src/dag/spec.ts";
import type { Database } from "../../src/metadata/database.ts";
import { readLog } from "../../src/metadata/work.ts";
import { WaitLook } from "../../src/scheduler/wait-look.ts";
import { testDatabase } from "../support/database.ts";

/** A database and one look at its waits. */
export interface Bench {
  readonly db: Database;
  readonly look: WaitLook;
  /** Looks until nothing is left to do at once. */
  settle(): Promise<void>;
  /** Makes every wait due. */
  due(): Promise<void>;
}

/** Overrides of {@link bench}. */
export interface Given {
  checkMs?: number;
  share?: number;
  connection?: (id: string) => Promise<Connection>;
}

/** A database of the test's own, looked at by a {@link WaitLook} that ends with the test. */
export async function bench(t: ExecutionContext, options: Given = {}): Promise<Bench> {
  const db = await testDatabase(t);
  let woken = Promise.withResolvers<void>();
  const look = new WaitLook(db, {
    connection: async (id) => {
      throw new Error(`no connection ${id}`);
    },
    warn: (message) => t.log(message),
    wake: () => woken.resolve(),
    ...options,
  });
  t.teardown(() => look.stop());
  return {
    db,
    look,
    settle: async () => {
      for (;;) {
        woken = Promise.withResolvers();
        const { more } = await look.once();
        if (more) continue;
        if (look.underWay === 0) return;
        await woken.promise;
      }
    },
    due: async () => void (await db.query("update task_wait set wake_at = now()")),
  };
}

/** The only wait, as it is kept. */
export async function waitOf(db: Database) {
  const rows = await db.query<{ note: string; polls: number; at_deadline: boolean; condition: Json }>(
    "select note, polls, condition, wake_at = deadline as at_deadline from task_wait",
  );
  return rows.rows[0];
}

/** Lines of a task's log. */
export async function logOf(db: Database, taskId: string): Promise<string[]> {
  const found = await db.query<{ id: string }>(
    "select a.attempt_id as id from task_attempt a join task_instance t using (attempt_id) where t.task_id = $1",
    [taskId],
  );
  return (await readLog(db, found.rows[0]?.id ?? "", 1, 100)).lines.map(({ text }) => text);
}

/** The value of a task. */
export async function xcomOf(db: Database, taskId: string): Promise<unknown> {
  const rows = await db.query<{ value: unknown }>(
    "select x.value from xcom x join task_instance t on t.id = x.task_instance_id where t.task_id = $1",
    [taskId],
  );
  return rows.rows[0]?.value;
}
