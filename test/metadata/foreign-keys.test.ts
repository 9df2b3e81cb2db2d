import test from "ava";
import { testDatabase } from "../support/database.ts";

/** Rows of these are never removed, or removed so rarely that reading the table is no matter. */
const RARELY_REMOVED = new Set(["access_user", "catalog_dataset", "dag", "file_manifest"]);

test("what retention removes is not looked for by reading whole tables: every foreign key to it has an index", async (t) => {
  const db = await testDatabase(t);
  const rows = await db.query<{ key: string; target: string }>(
    `select k.conname as key, k.confrelid::regclass::text as target from pg_constraint k
     where k.contype = 'f' and not exists (
       select from pg_index i where i.indrelid = k.conrelid
         -- A key that is asked for is not null.
         and (i.indpred is null or pg_get_expr(i.indpred, i.indrelid) ~ '^\\(\\w+ IS NOT NULL\\)$')
         and (i.indkey::int2[])[0:cardinality(k.conkey) - 1] @> k.conkey)
     order by 1`,
  );
  t.deepEqual(
    rows.rows.filter(({ target }) => !RARELY_REMOVED.has(target)).map(({ key }) => key),
    // One row a DAG.
    ["dag_version_id_fkey"],
  );
});
