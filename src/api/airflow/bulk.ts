/** Airflow's bulk requests: many changes in one transaction, each of which may fail alone. */
import { QflowError } from "../../errors.ts";
import type { Sql } from "../../metadata/database.ts";
import { withSavepoint } from "../../metadata/savepoint.ts";
import type { BulkResponse } from "../contract.ts";

/** One action of a bulk request. */
export type BulkAction<T> =
  | { action: "create"; entities: readonly T[]; action_on_existence: "fail" | "skip" | "overwrite" }
  | {
      action: "update";
      entities: readonly T[];
      update_mask?: readonly string[] | null | undefined;
      action_on_non_existence: "fail" | "skip";
    }
  | { action: "delete"; entities: readonly string[]; action_on_non_existence: "fail" | "skip" };

/** How the things of one kind are changed; what throws a QflowError fails alone. */
export interface BulkWork<T> {
  keyOf(entity: T): string;
  /** Throws CONFLICT where it is there, unless it is to be replaced. */
  create(sql: Sql, entity: T, mode: "create" | "put"): Promise<void>;
  /** Throws NOT_FOUND. `mask` = the fields to change, or null for those given. */
  update(sql: Sql, entity: T, mask: readonly string[] | null): Promise<void>;
  /** Throws NOT_FOUND. */
  remove(sql: Sql, key: string): Promise<void>;
}

const STATUS: Partial<Record<string, number>> = { CONFLICT: 409, NOT_FOUND: 404 };

/** Does the actions in order; each change is undone alone when it fails. */
export async function runBulk<T>(
  sql: Sql,
  actions: readonly BulkAction<T>[],
  work: BulkWork<T>,
): Promise<BulkResponse> {
  const response: BulkResponse = { create: null, update: null, delete: null };
  for (const action of actions) {
    const outcome = response[action.action] ?? { success: [], errors: [] };
    response[action.action] = outcome;
    for (const { key, change } of changesOf(action, work)) {
      try {
        await withSavepoint(sql, () => change(sql));
        outcome.success.push(key);
      } catch (error) {
        if (!(error instanceof QflowError)) throw error;
        if (!isSkipped(action, error))
          outcome.errors.push({ error: error.message, status_code: STATUS[error.code] ?? 400 });
      }
    }
  }
  return response;
}

function changesOf<T>(
  action: BulkAction<T>,
  work: BulkWork<T>,
): { key: string; change: (sql: Sql) => Promise<void> }[] {
  switch (action.action) {
    case "create": {
      const mode = action.action_on_existence === "overwrite" ? "put" : "create";
      return action.entities.map((entity) => ({
        key: work.keyOf(entity),
        change: (sql) => work.create(sql, entity, mode),
      }));
    }
    case "update":
      return action.entities.map((entity) => ({
        key: work.keyOf(entity),
        change: (sql) => work.update(sql, entity, action.update_mask ?? null),
      }));
    case "delete":
      return action.entities.map((key) => ({ key, change: (sql) => work.remove(sql, key) }));
  }
}

function isSkipped<T>(action: BulkAction<T>, error: QflowError): boolean {
  if (action.action === "create") return action.action_on_existence === "skip" && error.code === "CONFLICT";
  return action.action_on_non_existence === "skip" && error.code === "NOT_FOUND";
}
