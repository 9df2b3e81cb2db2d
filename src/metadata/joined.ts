/** Several changes in one transaction, whoever wrote them. */
import type { Database, Sql } from "./database.ts";

/** A database whose statements and transactions all belong to the open transaction `sql`. */
export function joined(database: Database, sql: Sql): Database {
  return {
    url: database.url,
    query: (text, values) => sql.query(text, values),
    transaction: (work) => work(sql),
    connect: () => database.connect(),
    close: () => Promise.reject(new Error("an open transaction does not close its database")),
  };
}
