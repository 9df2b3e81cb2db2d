/** Where the batch feed lies and how its files are called. */

export const FTP_CONNECTION = "ftp_q";
export const HIVE_CONNECTION = "hive_default";

/** Layout of the feed on the FTP server. */
export const FEED = {
  connection: FTP_CONNECTION,
  path: "/",
  batchFolder: "group{n}",
  files: {
    branches: "branches_SS_raw_{n}.csv",
    sales_agents: "sales_agents_SS_raw_{n}.csv",
    sales_transactions: "sales_transactions_SS_raw_{n}.csv",
  },
  // Branches and agents come as whole pictures, and the latest batch's is the one that counts.
  snapshots: ["branches", "sales_agents"],
} as const;

/** Outside systems come back: a few tries, each later than the last. */
export const PATIENT = { retries: 5, retryDelay: "PT2S", backoff: { factor: 2, max: "PT1M" } } as const;

/** What every task that needs a Spark driver has in common. */
export const ON_SPARK = { ...PATIENT, pool: "spark", timeout: "PT1H" } as const;
