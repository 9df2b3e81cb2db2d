/** What people are asked by tasks, and their answers. */
import { QflowError } from "../errors.ts";
import { ACCESS_ROLES, type AccessRole } from "./access.ts";
import type { Database, Sql } from "./database.ts";
import { Filter, type Page, type Slice } from "./views/filter.ts";
import { endWaits, type WaitOutcome } from "./waits.ts";
import { wakeWith } from "./wake.ts";

/** A question as a task puts it. */
export interface ApprovalQuestion {
  readonly subject: string;
  readonly body: string;
  /** Least role that may answer. */
  readonly role: AccessRole;
  /** How the task ends when it is rejected. */
  readonly onReject: "fail" | "skip";
}

/** A question with its answer, where there is one. */
export interface ApprovalRow extends ApprovalQuestion {
  readonly dag_id: string;
  readonly run_id: string;
  readonly task_id: string;
  readonly map_index: number;
  readonly try_number: number;
  readonly task_instance_id: string;
  readonly asked_at: Date;
  /** Whether an answer is still wanted. */
  readonly waiting: boolean;
  readonly chosen: "approve" | "reject" | null;
  readonly answered_by: string | null;
  readonly answered_at: Date | null;
  readonly note: string | null;
}

/** Which questions; undefined = any. */
export interface ApprovalFilter {
  readonly dagId?: string | undefined;
  readonly runId?: string | undefined;
  readonly taskId?: string | undefined;
  readonly mapIndex?: number | undefined;
  /** Only those that want an answer, or only those that do not. */
  readonly waiting?: "yes" | "no" | undefined;
}

/** Puts a question; a second time for the same attempt changes nothing. */
export async function askApproval(
  sql: Sql,
  asker: { readonly attemptId: string; readonly taskInstanceId: number },
  question: ApprovalQuestion,
): Promise<void> {
  await sql.query(
    `insert into approval (attempt_id, task_instance_id, subject, body, role, on_reject) values ($1, $2, $3, $4, $5, $6)
     on conflict do nothing`,
    [asker.attemptId, asker.taskInstanceId, question.subject, question.body, question.role, question.onReject],
  );
}

const FROM = `
  from approval p
  join task_instance t on t.id = p.task_instance_id
  join dag_run r on r.id = t.dag_run_id
  join task_attempt a on a.attempt_id = p.attempt_id`;

const IS_WAITING = "(p.answered_at is null and a.state = 'deferred')";

/** Questions, the latest first. */
export async function listApprovals(sql: Sql, wanted: ApprovalFilter, slice: Slice): Promise<Page<ApprovalRow>> {
  const filter = new Filter()
    .add("t.dag_id = $", wanted.dagId)
    .add("r.run_id = $", wanted.runId)
    .add("t.task_id = $", wanted.taskId)
    .add("t.map_index = $", wanted.mapIndex)
    .add(`${IS_WAITING} = $`, wanted.waiting === undefined ? undefined : wanted.waiting === "yes");
  const counted = await sql.query<{ n: string }>(`select count(*) as n ${FROM} ${filter.sql}`, filter.values);
  const found = await sql.query<ApprovalRow>(
    `select t.dag_id, r.run_id, t.task_id, t.map_index, a.try_number, t.id::text as task_instance_id, p.subject, p.body, p.role,
       p.on_reject as "onReject", p.asked_at, ${IS_WAITING} as waiting, p.chosen, p.answered_by, p.answered_at, p.note
     ${FROM} ${filter.sql} order by p.asked_at desc, p.attempt_id desc limit ${filter.bind(slice.limit)} offset ${filter.bind(slice.offset)}`,
    filter.values,
  );
  return { rows: found.rows, total: Number(counted.rows[0]?.n) };
}

/** Which task asked. */
export interface ApprovalKey {
  readonly dagId: string;
  readonly runId: string;
  readonly taskId: string;
  readonly mapIndex: number;
}

/** The newest question of a task instance. Throws NOT_FOUND. */
export async function getApproval(sql: Sql, key: ApprovalKey): Promise<ApprovalRow> {
  const [row] = (await listApprovals(sql, key, { limit: 1, offset: 0, orderBy: [] })).rows;
  if (row) return row;
  throw unasked(key);
}

function unasked({ dagId, runId, taskId }: ApprovalKey): QflowError {
  return new QflowError("NOT_FOUND", `task ${taskId} of run ${runId} of DAG ${dagId} has asked for no approval`);
}

/** An answer. */
export interface ApprovalAnswered {
  readonly chosen: "approve" | "reject";
  readonly by: string;
  /** Role of who answers. */
  readonly role: AccessRole;
  readonly note: string | null;
}

interface Open {
  readonly attemptId: string;
  readonly token: string;
  readonly role: AccessRole;
  readonly onReject: "fail" | "skip";
  readonly state: string;
  readonly answeredBy: string | null;
  readonly emits: readonly string[];
}

/**
 * Answers the newest question of a task instance, which ends its wait: approved it succeeds with the answer as its value. Throws
 * NOT_FOUND, FORBIDDEN (another role may answer), CONFLICT (it is answered, or not asked any more).
 */
export async function answerApproval(database: Database, key: ApprovalKey, answer: ApprovalAnswered): Promise<void> {
  await database.transaction(async (sql) => {
    const open = await lockQuestion(sql, key);
    if (ACCESS_ROLES.indexOf(answer.role) < ACCESS_ROLES.indexOf(open.role))
      throw new QflowError("FORBIDDEN", `this question is for role ${open.role}; yours is ${answer.role}`);
    if (open.answeredBy !== null) throw new QflowError("CONFLICT", `${open.answeredBy} has answered already`);
    if (open.state !== "deferred")
      throw new QflowError("CONFLICT", `task ${key.taskId} does not wait for an answer any more`);
    const answered = await sql.query<{ at: Date }>(
      `update approval set chosen = $2, answered_by = $3, note = $4, answered_at = now() where attempt_id = $1
       returning answered_at as at`,
      [open.attemptId, answer.chosen, answer.by, answer.note],
    );
    const at = answered.rows[0]?.at ?? new Date();
    const { attempts, queued } = await endWaits(sql, [outcomeOf(open, { ...answer, at })]);
    if (attempts.length === 0)
      throw new QflowError("CONFLICT", `task ${key.taskId} does not wait for an answer any more`);
    if (queued > 0) await wakeWith(sql, "qflow_work");
    await wakeWith(sql, "qflow_scheduler");
  });
}

async function lockQuestion(sql: Sql, key: ApprovalKey): Promise<Open> {
  const result = await sql.query<Open>(
    `select p.attempt_id as "attemptId", a.token, p.role, p.on_reject as "onReject", a.state, p.answered_by as "answeredBy", d.emits
     ${FROM} join task_def d on d.version_id = t.version_id and d.task_index = t.task_index
     where t.dag_id = $1 and r.run_id = $2 and t.task_id = $3 and t.map_index = $4
     order by p.asked_at desc limit 1 for update of p`,
    [key.dagId, key.runId, key.taskId, key.mapIndex],
  );
  const open = result.rows[0];
  if (open) return open;
  throw unasked(key);
}

function outcomeOf(open: Open, answer: ApprovalAnswered & { at: Date }): WaitOutcome {
  const { attemptId, token } = open;
  const { chosen, by, note } = answer;
  const events = open.emits.map((dataset) => ({ dataset }));
  const value = { chosen, by, at: answer.at.toISOString(), note };
  if (chosen === "approve") return { attemptId, token, state: "success", value, events };
  const reason = `rejected by ${by}${note ? `: ${note}` : ""}`;
  if (open.onReject === "skip") return { attemptId, token, state: "skipped", reason };
  const { code, message, remedy } = new QflowError("APPROVAL_REJECTED", reason);
  return { attemptId, token, state: "failed", retry: "fatal", error: { code, message, remedy } };
}
