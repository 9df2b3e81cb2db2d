import { dag, Fail } from "qflow";
import { z } from "zod";

const params = z.object({ rows: z.int().default(500) });

/** Chooses one of two ways, joins them again, and stops quietly when there is nothing to do. */
export default dag("branching", { params }, (t) => {
  const size = t.task("measure", (_, ctx) => {
    if (ctx.params.rows < 0) throw new Fail("a negative number of rows will not get better by trying again");
    return { rows: ctx.params.rows };
  });
  const go = t.shortCircuit("anything_new", { in: { size } }, ({ size }) => size.rows > 0);
  const full = t.task("rebuild", () => "rebuilt");
  const delta = t.task("merge", () => "merged");
  t.branch("how", { in: { size }, after: [go], to: { full, delta } }, ({ size }) =>
    size.rows > 1000 ? "full" : "delta",
  );
  t.task("publish", { after: [full, delta], rule: "none_failed_min_one_success" }, (_, ctx) =>
    ctx.log.info("published"),
  );
});
