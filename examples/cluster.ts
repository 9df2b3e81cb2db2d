import { dag, RetryAfter } from "qflow";
import { shell } from "qflow/operators";

/** A group of tasks between a setup and its teardown: a program for each item of an array, and a map that follows it item by item. */
export default dag("cluster", { timeout: "2h" }, (t) => {
  const regions = t.task("regions", () => [{ name: "north" }, { name: "south" }]);
  const work = t.group("work", { after: [regions], doc: "What needs the scratch folder" }, (g) => {
    const scratch = g.setup("scratch", (_, ctx) => ctx.log.info("made"));
    const count = g.map("count", regions, shell({ command: ["echo", g.item(regions).name] }), { after: [scratch] });
    const check = g.map("check", count, (line, ctx) => ({ line, item: ctx.mapIndex }));
    g.teardown("remove", { setups: [scratch], after: [check] }, (_, ctx) => ctx.log.info("removed"));
    return { check };
  });
  t.task("report", { in: { parts: work.refs.check }, after: [work] }, ({ parts }) => ({ parts: parts.length }));
});

/** Told by a service that it has had enough for now. */
class Throttled extends Error {
  override readonly name = "Throttled";
}

export const patient = dag("patient", {}, (t) => {
  t.task(
    "ask",
    {
      retries: 5,
      backoff: { factor: 3, max: "10m", jitter: "full" },
      retryPolicy: { TypeError: "fatal", Throttled: { after: "1m" }, TASK_TIMEOUT: "fatal" },
      timeout: "5m",
      queueTimeout: "30m",
    },
    async (_, ctx) => {
      if (ctx.tryNumber > 3) throw new RetryAfter("PT10M", "nobody answers: wait longer");
      if (Date.now() % 1000 === 0) throw new Throttled("too many questions");
      return { answered: true };
    },
  );
});
