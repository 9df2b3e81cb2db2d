import { dag, Skip } from "qflow";
import { z } from "zod";

interface Part {
  readonly name: string;
  readonly bytes: number;
}

const params = z.object({ parts: z.int().min(1).max(100).default(3) });

/** One instance for every item that an upstream found, and what follows whatever became of them. */
export default dag("mapped", { params }, (t) => {
  const parts = t.task("list", (_, ctx): Part[] =>
    Array.from({ length: ctx.params.parts }, (_, i) => ({ name: `part-${i}`, bytes: i * 1000 })),
  );
  const rows = t.map("count", parts, { maxActive: 2, retries: 2, retryDelay: "5s" }, (part) => {
    if (part.bytes === 0) throw new Skip(`${part.name} is empty`);
    return { name: part.name, rows: part.bytes / 10 };
  });
  t.task("sum", { in: { rows }, rule: "all_done" }, ({ rows }) => {
    const counted = rows.filter((row) => row.state === "success").map((row) => row.value.rows);
    return { parts: rows.length, counted: counted.length, rows: counted.reduce((sum, n) => sum + n, 0) };
  });
});
