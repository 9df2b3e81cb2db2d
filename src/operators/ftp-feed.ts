/** What the FTP operators share with DAG authors: how a feed's files are laid out on the server. */
import { z } from "zod";

const PLACEHOLDER = "{n}";

/** Where a feed lies on an FTP server and how its files are called. */
export const feedSchema = z.strictObject({
  /** Connection id: `QFLOW_CONN_<ID>=ftp://user:password@host:port/`. */
  connection: z.string().min(1),
  /** Folder on the server that holds the files, or the batch folders. */
  path: z.string().min(1).default("/"),
  /** Name of a batch's folder, with `{n}` for its number (`group{n}`). Absent: the files lie in `path` and belong to no batch. */
  batchFolder: z
    .string()
    .refine((name) => name.split(PLACEHOLDER).length === 2, `needs ${PLACEHOLDER} exactly once`)
    .optional(),
  /**
   * Feed name → file name, where `{n}` is the batch number and `*` any text. A file belongs to the first feed it matches; files that
   * match none are foreign: logged, never touched. Absent: every file, as one feed named after the last folder of `path`.
   */
  files: z.record(z.string().regex(/^[a-z][a-z0-9_]*$/, "feed names are snake_case"), z.string().min(1)).optional(),
  /**
   * Feeds whose files are each a whole picture (all branches, say), of which the latest counts. The same picture in another batch is then
   * not a duplicate but news: what held before holds again.
   */
  snapshots: z.array(z.string()).default([]),
  /** Seconds that two equal listings must lie apart for a file to count as stable; at least 2. */
  stableSeconds: z.number().min(2).max(600).default(2),
});

/** {@link feedSchema} once checked. */
export type Feed = z.output<typeof feedSchema>;
