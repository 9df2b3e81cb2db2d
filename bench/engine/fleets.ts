/** fleet: many DAGs of ten tasks triggered at once. */
import { fleet } from "./dag-files.ts";
import { throughput } from "./fans.ts";
import type { Row } from "./row.ts";

/** 100 DAGs of ten tasks one after another, all triggered in one moment. */
export const fleet100: Row = {
  dags: fleet("fleet100", { dags: 100, tasks: 10 }),
  async *measure(stand) {
    await stand.unpause("fleet100_%");
    yield* throughput(stand, "fleet100_%", 3);
  },
};

/** The same with 1,000 DAGs. */
export const fleet1000: Row = {
  dags: fleet("fleet1000", { dags: 1000, tasks: 10 }),
  async *measure(stand) {
    await stand.unpause("fleet1000_%");
    yield* throughput(stand, "fleet1000_%", 1);
  },
};
