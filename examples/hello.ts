import { cron, dag } from "qflow";

/** The smallest useful DAG: two tasks, typed from one to the other, every morning in Cairo. */
export default dag("hello", { schedule: cron("0 7 * * *", { timezone: "Africa/Cairo" }), start: "2026-01-01" }, (t) => {
  const greeting = t.task("greet", (_, ctx) => ({ text: `Good morning from ${ctx.dagId}` }));
  t.task("say", { in: { greeting } }, ({ greeting }, ctx) => ctx.log.info(greeting.text));
});
