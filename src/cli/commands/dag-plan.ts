/** `qflow dags plan`: what deploying the DAG files as they are now would do. */
import { existsSync, statSync } from "node:fs";
import { relative, resolve } from "node:path";
import type { Command } from "commander";
import type { LoadedFile } from "../../dag/load-dags.ts";
import { QflowError } from "../../errors.ts";
import type { Database } from "../../metadata/database.ts";
import { listDeployed } from "../../metadata/views/deployed-view.ts";
import { type DagChange, type DeployPlan, planDeploy } from "../../scheduler/index.ts";
import { loadFolder } from "../dag-loader.ts";
import { EXIT, printFields, say } from "../output.ts";
import { type CommandContext, type ListOptions, outputOption } from "../program.ts";
import { instant, missedText } from "../text.ts";
import { withDatabase } from "../with-database.ts";

/** Adds the command to `qflow dags`. */
export function addPlanCommand(dags: Command, context: () => CommandContext): void {
  dags
    .command("plan [files...]")
    .description(
      "what deploying the dags folder, these files of it, or another folder in its place would do; exits 1 on a breaking change",
    )
    .addOption(outputOption())
    .action((files: string[], options: ListOptions) => planCommand(context(), files, options));
}

async function planCommand(context: CommandContext, files: readonly string[], { output }: ListOptions): Promise<void> {
  const dagsDir = folderOf(context.config.dagsDir, files);
  const wanted = files.map((file) => inFolder(dagsDir, file));
  const concerns = (file: string): boolean =>
    wanted.length === 0 || wanted.some((one) => file === one || file.startsWith(`${one}/`) || one === "");
  const loaded = (await loadFolder({ ...context.config, dagsDir })).filter(({ path }) => concerns(path));
  const plan = await withDatabase(context, (database) => planOf(database, loaded, concerns));
  if (output === "json") printFields({ ...plan }, "json");
  else printPlan(plan);
  if (plan.breaking.length > 0) process.exitCode = EXIT.failed;
}

/** The dags folder, or the one other folder that is named in its place. */
function folderOf(dagsDir: string, [first, ...others]: readonly string[]): string {
  if (first === undefined || others.length > 0 || !statSync(first, { throwIfNoEntry: false })?.isDirectory())
    return dagsDir;
  return relative(dagsDir, resolve(first)).startsWith("..") ? resolve(first) : dagsDir;
}

/** A file or folder of the dags folder, relative to it; one that is gone means that its DAGs go. */
function inFolder(dagsDir: string, file: string): string {
  const path = relative(dagsDir, resolve(file)).replaceAll("\\", "/");
  if (!path.startsWith("..") && (existsSync(file) || path.endsWith(".ts"))) return path;
  throw new QflowError("USAGE", `${file} is no file of the dags folder ${dagsDir}`, {
    remedy: "Name files or folders of it, or set QFLOW_DAGS.",
  });
}

async function planOf(
  database: Database,
  loaded: readonly LoadedFile[],
  concerns: (file: string) => boolean,
): Promise<DeployPlan> {
  const deployed = await listDeployed(database);
  return planDeploy({
    deployed,
    candidates: loaded.flatMap(({ path, dags, bundle }) =>
      dags.map((spec) => ({ file: path, spec, bundleHash: bundle?.hash ?? "" })),
    ),
    broken: loaded.flatMap(({ path, error }) =>
      error === null ? [] : [{ file: path, message: `${error.code}: ${error.message}` }],
    ),
    concerns,
    now: deployed[0]?.now ?? new Date(),
  });
}

const SIGN = { added: "+", changed: "~", removed: "-" } as const;

function printPlan({ changes, unchanged, breaking }: DeployPlan): void {
  for (const change of changes) {
    const state = change.change === "added" ? "new, paused" : change.paused ? "paused" : "";
    process.stdout.write(`${SIGN[change.change]} ${change.dagId}  ${change.file}${state && `  (${state})`}\n`);
    for (const line of linesOf(change)) process.stdout.write(`    ${line}\n`);
  }
  for (const { rule, dagId, file, message } of breaking)
    process.stdout.write(`✕ ${dagId === "" ? file : dagId}: ${message} (${rule})\n`);
  say(
    `${changes.length} DAGs change, ${unchanged} do not; ${breaking.length} breaking ${breaking.length === 1 ? "change" : "changes"}`,
  );
}

function linesOf({ diff, code, shift, activeRuns }: DagChange): string[] {
  const lines: string[] = [];
  if (diff !== null) {
    const { tasks, params, reads, emits, settings } = diff;
    for (const { taskId, fields } of tasks.changed) lines.push(`~ task ${taskId}: ${fields.join(", ")}`);
    lines.push(...signed("task", tasks), ...signed("param", params));
    lines.push(...params.changed.map((name) => `~ param ${name}`));
    lines.push(...signed("reads", reads), ...signed("emits", emits));
    if (settings.length > 0) lines.push(`~ ${settings.join(", ")}`);
    if (code === "changed") lines.push("~ code");
  }
  if (shift !== null) {
    lines.push(shift.before === "" ? `schedule ${shift.after}` : `~ schedule ${shift.before} → ${shift.after}`);
    const [before, after] = [instant(shift.nextBefore), instant(shift.nextAfter)];
    if (shift.before === "" && after !== "") lines.push(`  next run ${after}`);
    else if (before !== after) lines.push(`  next run ${before || "unknown"} → ${after || "unknown"}`);
    if (shift.created > 0) lines.push(`  creates ${shift.created} at once: ${listed(shift)}`);
    if (shift.skipped > 0) lines.push(`  ${missedText(shift.skipped)}`);
  }
  if (activeRuns > 0) lines.push(`${activeRuns} active runs go on with the version they began with`);
  return lines;
}

function signed(what: string, { added, removed }: { added: readonly string[]; removed: readonly string[] }): string[] {
  return [...added.map((name) => `+ ${what} ${name}`), ...removed.map((name) => `- ${what} ${name}`)];
}

function listed({ runs, created }: NonNullable<DagChange["shift"]>): string {
  const dates = runs.map((run) => instant(run.logicalDate)).join(", ");
  return created > runs.length ? `${dates} …` : dates;
}
