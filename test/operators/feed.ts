/** A Q Company like feed on a fake FTP server, with a database and a staging folder of its own. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ExecutionContext } from "ava";
import type { Database } from "../../src/metadata/database.ts";
import { run as arrivals } from "../../src/operators/ftp-arrivals.run.ts";
import { ftpArrivalsSchema } from "../../src/operators/ftp-arrivals.ts";
import { run as ingest } from "../../src/operators/ftp-ingest.run.ts";
import { ftpIngestSchema } from "../../src/operators/ftp-ingest.ts";
import { testDatabase } from "../support/database.ts";
import { type FakeFtp, startFakeFtp } from "../support/fake-ftp.ts";
import { operatorContext } from "../support/operator-context.ts";

export const FEED = {
  connection: "ftp",
  path: "/",
  batchFolder: "group{n}",
  files: {
    branches: "branches_SS_raw_{n}*.csv",
    sales_agents: "sales_agents_SS_raw_{n}.csv",
    sales_transactions: "sales_transactions_SS_raw_{n}.csv",
  },
};

/** Everything a test of the FTP operators needs; gone when the test ends. */
export interface FeedWorld {
  readonly ftp: FakeFtp;
  readonly database: Database;
  readonly home: string;
  /** Puts the three files of a batch; the contents default to ones that differ from batch to batch. */
  batch(n: number, contents?: Partial<Record<"branches" | "sales_agents" | "sales_transactions", string>>): void;
  /** Runs `ftpArrivals` once. `pause` stands for the wait between two listings. */
  arrivals(options?: { graceSeconds?: number; pause?: () => void }): ReturnType<typeof runArrivals>;
  /** Runs `ftpIngest` once as run `runId`. */
  ingest(batch: number | null, options?: IngestOptions): ReturnType<typeof runIngest>;
}

interface IngestOptions {
  snapshots?: string[];
  runId?: string;
  pause?: () => void;
  permit?: () => Promise<void>;
  signal?: AbortSignal;
}

/** A fresh world. */
export async function feedWorld(t: ExecutionContext): Promise<FeedWorld> {
  const home = await mkdtemp(join(tmpdir(), "qflow-feed-"));
  const ftp = await startFakeFtp();
  t.teardown(async () => {
    await ftp.stop();
    await rm(home, { recursive: true, force: true });
  });
  const database = await testDatabase(t);
  const base = { database, home, connections: [ftp.connection] };
  return {
    ftp,
    database,
    home,
    batch(n, contents = {}) {
      ftp.put(`/group${n}/branches_SS_raw_${n}.csv`, contents.branches ?? `branch_id\n${n}\n`);
      ftp.put(`/group${n}/sales_agents_SS_raw_${n}.csv`, contents.sales_agents ?? `agent_id\n${n}\n`);
      ftp.put(`/group${n}/sales_transactions_SS_raw_${n}.csv`, contents.sales_transactions ?? `trx\n${n}\n`);
    },
    arrivals: (options = {}) => runArrivals(base, options),
    ingest: (batch, options = {}) => runIngest(base, { ...options, batch }),
  };
}

type Base = Pick<Parameters<typeof operatorContext>[0], "database" | "home" | "connections">;

async function runArrivals(base: Base, { graceSeconds = 30, pause }: { graceSeconds?: number; pause?: () => void }) {
  const { context, recorded } = operatorContext({ ...base, database: base.database });
  const config = ftpArrivalsSchema.parse({ ...FEED, dataset: "feed.batches", graceSeconds });
  const result = await arrivals(config, context, async () => pause?.());
  return { result, events: recorded.events, lines: recorded.lines };
}

async function runIngest(base: Base, options: IngestOptions & { batch: number | null }) {
  const { context, recorded } = operatorContext({ ...base, ...options });
  const config = ftpIngestSchema.parse({ ...FEED, batch: options.batch, snapshots: options.snapshots ?? [] });
  const files = await ingest(config, context, async () => options.pause?.());
  return { files, lines: recorded.lines, recorded };
}
