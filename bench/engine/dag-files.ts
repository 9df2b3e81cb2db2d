/** The DAGs that are measured, as the files a user would write. */

/** File name → source. */
export type DagFiles = Readonly<Record<string, string>>;

const FIB = "const fib = (n: number): number => (n < 2 ? n : fib(n - 1) + fib(n - 2));";

/** `tasks` tasks one after another, each computing fib(n) and returning nothing. */
export function chain(id: string, tasks: number, n: number): string {
  return `import { dag } from "qflow";
${FIB}
export default dag(${JSON.stringify(id)}, { maxActiveRuns: 1000 }, (t) => {
  let last = t.task("task_0", () => void fib(${n}));
  for (let i = 1; i < ${tasks}; i++) last = t.task(\`task_\${i}\`, { after: [last] }, () => void fib(${n}));
});
`;
}

/** One task, \`width\` after it, one after these. */
export function fan(id: string, width: number): string {
  return `import { dag } from "qflow";
export default dag(${JSON.stringify(id)}, { maxActiveRuns: 1000, maxActiveTasks: 10_000 }, (t) => {
  const first = t.task("first", () => {});
  const wide = Array.from({ length: ${width} }, (_, i) => t.task(\`wide_\${i}\`, { after: [first] }, () => {}));
  t.task("last", { after: wide }, () => {});
});
`;
}

/** Layers of tasks, each after two of the layer before. */
export function layers(id: string, size: { readonly layers: number; readonly width: number }): string {
  return `import { dag, type Ref } from "qflow";
export default dag(${JSON.stringify(id)}, { maxActiveRuns: 1000, maxActiveTasks: 10_000 }, (t) => {
  let above: Ref<void>[] = [];
  for (let layer = 0; layer < ${size.layers}; layer++) {
    const after = (i: number) => [above[i], above[(i + 1) % ${size.width}]].filter((one) => one !== undefined);
    above = Array.from({ length: ${size.width} }, (_, i) => t.task(\`layer_\${layer}_\${i}\`, { after: after(i) }, () => {}));
  }
});
`;
}

/** One task that returns an array of `items`, an instance an item, one task after these. */
export function mapped(id: string, items: number): string {
  return `import { dag } from "qflow";
export default dag(${JSON.stringify(id)}, { maxActiveRuns: 1000, maxActiveTasks: 10_000 }, (t) => {
  const list = t.task("list", () => Array.from({ length: ${items} }, (_, i) => i));
  const each = t.map("each", list, () => {});
  t.task("last", { after: [each] }, () => {});
});
`;
}

/** \`dags\` DAGs of \`tasks\` no-ops one after another, in files of 100 DAGs. \`schedule\` is an expression of the DAG file. */
export function fleet(
  prefix: string,
  size: { readonly dags: number; readonly tasks: number },
  schedule = "null",
): DagFiles {
  const files: Record<string, string> = {};
  for (let first = 0; first < size.dags; first += 100) {
    const last = Math.min(size.dags, first + 100);
    files[`${prefix}_${first}.ts`] = `import { cron, dag } from "qflow";
void cron;
export default Array.from({ length: ${last - first} }, (_, k) =>
  dag(\`${prefix}_\${${first} + k}\`, { schedule: ${schedule}, maxActiveRuns: 1000, catchup: "none" }, (t) => {
    let last = t.task("task_0", () => {});
    for (let i = 1; i < ${size.tasks}; i++) last = t.task(\`task_\${i}\`, { after: [last] }, () => {});
  }),
);
`;
  }
  return files;
}
