/** How far a Spark application is, from its own status API. */
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";

const POLL_MS = 1_000;
/** Spark complains at length about a connection that is cut while it answers: generous, and not ended with the job. */
const ANSWER_MS = 15_000;

const applications = z.array(z.looseObject({ id: z.string() }));
const stages = z.array(
  z.looseObject({ stageId: z.number(), name: z.string(), numTasks: z.number(), numCompleteTasks: z.number() }),
);

/** Who is told. */
export interface ProgressSink {
  progress(step: string, done: number, total: number | null): void;
  /** The application's id, once. */
  started(applicationId: string): void;
}

/** Reports until the signal is aborted. An API that does not answer yet, or no more, is asked again. */
export async function followProgress(ui: string, sink: ProgressSink, signal: AbortSignal): Promise<void> {
  let application: string | null = null;
  while (!signal.aborted) {
    const base = `${ui}/api/v1/applications`;
    if (application === null) {
      application = (await ask(base, applications))?.[0]?.id ?? null;
      if (application !== null) sink.started(application);
    } else {
      const active = await ask(`${base}/${application}/stages?status=active`, stages);
      if (active !== null && active.length > 0 && !signal.aborted) report(active, sink);
    }
    await sleep(POLL_MS, undefined, { signal, ref: false }).catch(() => {});
  }
}

function report(active: z.infer<typeof stages>, sink: ProgressSink): void {
  const done = active.reduce((sum, stage) => sum + stage.numCompleteTasks, 0);
  const total = active.reduce((sum, stage) => sum + stage.numTasks, 0);
  const names = active.map((stage) => `stage ${stage.stageId}`).join(", ");
  sink.progress(`${names}: ${active[0]?.name ?? ""}`, done, total);
}

async function ask<T>(url: string, schema: z.ZodType<T>): Promise<T | null> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(ANSWER_MS) });
    const parsed = schema.safeParse(answer.ok ? await answer.json() : null);
    return parsed.success ? parsed.data : null;
  } catch {
    // Not up yet, gone already, or slow: progress is shown, nothing depends on it.
    return null;
  }
}
