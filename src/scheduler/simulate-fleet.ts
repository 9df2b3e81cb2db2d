/**
 * Plays a period of a whole fleet: ticks of the clock, runs that take as long as expected, datasets that their ends announce, and
 * the runs those start. Every run succeeds; only max_active_runs holds runs back. Pure.
 */
import { datasetsIn } from "../dag/datasets.ts";
import type { DagSpec } from "../dag/spec.ts";
import { emitsOf } from "../dag/spec-diff.ts";
import { type ClockSchedule, isPeriodic, latestRun } from "../dag/timetable.ts";
import { planDatasetRuns, type Waiting } from "./dataset-plan.ts";
import { EventQueue } from "./event-queue.ts";
import { MISSED_AFTER_MS, nextTick } from "./plan.ts";

/** A DAG of the fleet. */
export interface FleetDag {
  readonly spec: DagSpec;
  /** How long a run is expected to take, in milliseconds. */
  readonly durationMs: number;
  /** When a DAG that runs once and names no start does so. */
  readonly createdAt: Date;
}

/** What is played. */
export interface FleetPeriod {
  readonly dags: readonly FleetDag[];
  readonly from: Date;
  /** Exclusive. */
  readonly to: Date;
  /** The simulation stops after so many runs. */
  readonly maxRuns: number;
}

/** A run as it would be. */
export interface SimulatedRun {
  readonly dagId: string;
  readonly kind: "scheduled" | "dataset";
  readonly logicalDate: Date | null;
  /** When it was due: its tick, or the event that completed its condition. */
  readonly dueAt: Date;
  /** Later than due where max_active_runs held it back. */
  readonly startedAt: Date;
  readonly endedAt: Date;
}

/** The period as it would be. */
export interface Simulation {
  /** In the order of their starts. */
  readonly runs: readonly SimulatedRun[];
  /** Ticks that got no run because the DAG was full, by DAG. */
  readonly skipped: Readonly<Record<string, number>>;
  /** Whether it ended before `to`, at `maxRuns`. */
  readonly cut: boolean;
}

interface Due {
  readonly logicalDate: Date | null;
  readonly dueAt: number;
}

interface Member {
  readonly dag: FleetDag;
  readonly emits: readonly string[];
  active: number;
  skipped: number;
  startedAt: number;
  /** Ticks that wait for room, oldest first. */
  due: Due[];
  /** Dataset events not consumed yet, and when the newest came. */
  events: Waiting[];
  eventAt: number;
}

type Happening =
  | { readonly kind: "tick"; readonly member: Member; readonly due: Due }
  | { readonly kind: "end"; readonly member: Member };

/** What ends at a moment makes room for what ticks then. */
const RANK = { end: 0, tick: 1 } as const;

/** Plays the period. */
export function simulateFleet(period: FleetPeriod): Simulation {
  const play = new Play(period);
  return play.run();
}

class Play {
  readonly #period: FleetPeriod;
  readonly #queue = new EventQueue<Happening>();
  readonly #members: readonly Member[];
  readonly #consumers = new Map<string, Member[]>();
  readonly #runs: SimulatedRun[] = [];
  #events = 0;

  constructor(period: FleetPeriod) {
    this.#period = period;
    this.#members = period.dags.map((dag) => ({
      dag,
      emits: [...emitsOf(dag.spec)],
      active: 0,
      skipped: 0,
      startedAt: Number.NEGATIVE_INFINITY,
      due: [],
      events: [],
      eventAt: 0,
    }));
    for (const member of this.#members) {
      const { schedule } = member.dag.spec;
      // When messages come is not known.
      if (schedule === null || schedule.kind === "messages") continue;
      if (schedule.kind !== "datasets") this.#tick(member, schedule, null);
      else
        for (const id of datasetsIn(schedule.condition))
          this.#consumers.set(id, [...(this.#consumers.get(id) ?? []), member]);
    }
  }

  run(): Simulation {
    const { maxRuns } = this.#period;
    for (let next = this.#queue.take(); next !== undefined && this.#runs.length < maxRuns; next = this.#queue.take()) {
      const { at, value } = next;
      if (value.kind === "end") this.#end(value.member, at);
      else {
        value.member.due.push(value.due);
        const { schedule } = value.member.dag.spec;
        if (schedule !== null && isPeriodic(schedule)) this.#tick(value.member, schedule, value.due.logicalDate);
        this.#fill(value.member, at);
      }
    }
    const skipped = this.#members.filter((member) => member.skipped > 0);
    return {
      runs: this.#runs,
      skipped: Object.fromEntries(skipped.map((member) => [member.dag.spec.dagId, member.skipped])),
      cut: this.#runs.length >= maxRuns,
    };
  }

  /** Puts the member's tick after `settled` (the first of the period where null) on the queue. */
  #tick(member: Member, schedule: ClockSchedule, settled: Date | null): void {
    const { spec, createdAt } = member.dag;
    const { from } = this.#period;
    // A DAG without a start runs in any period, also in one before it was made.
    const unbounded = schedule.kind === "once" ? createdAt : new Date(0);
    const start = spec.start === null ? unbounded : new Date(spec.start);
    // Its one run was before the period.
    if (schedule.kind === "once" && start < from) return;
    const run = nextTick({
      schedule,
      start,
      end: spec.end === null ? null : new Date(spec.end),
      catchup: spec.catchup,
      settledUntil: settled ?? settledBefore(schedule, from, start),
      recent: { startedAt: null, failures: 0 },
      now: from,
    });
    if (run !== null) this.#due(member, run.logicalDate, Math.max(run.runAfter.getTime(), from.getTime()));
  }

  #due(member: Member, logicalDate: Date, at: number): void {
    const tick: Happening = { kind: "tick", member, due: { logicalDate, dueAt: at } };
    if (at < this.#period.to.getTime()) this.#queue.add(at, RANK.tick, tick);
  }

  #fill(member: Member, now: number): void {
    const { spec } = member.dag;
    if (spec.schedule?.kind === "datasets") {
      const { condition, consume } = spec.schedule;
      const plans = planDatasetRuns(
        // Which partition an end announces is not known: one event of each dataset is taken for one partition.
        { condition, consume: consume === "partition" ? "each" : consume },
        member.events,
        spec.maxActiveRuns - member.active,
      );
      const taken = new Set(plans.flatMap((plan) => plan.events));
      member.events = member.events.filter((event) => !taken.has(event));
      for (const _ of plans) this.#start(member, { logicalDate: null, dueAt: member.eventAt }, now);
      return;
    }
    while (member.active < spec.maxActiveRuns && member.due.length > 0) {
      const due = this.#choose(member, now);
      if (due !== null) this.#start(member, due, now);
    }
  }

  /** The tick that gets the next run, by the catchup policy. */
  #choose(member: Member, now: number): Due | null {
    if (member.dag.spec.catchup === "all") return member.due.shift() as Due;
    const newest = member.due.at(-1) as Due;
    const missed = member.dag.spec.catchup === "none" && now - newest.dueAt > MISSED_AFTER_MS;
    member.skipped += member.due.length - (missed ? 0 : 1);
    member.due = [];
    return missed ? null : newest;
  }

  #start(member: Member, { logicalDate, dueAt }: Due, now: number): void {
    const { spec, durationMs } = member.dag;
    const endedAt = now + Math.max(1, durationMs);
    member.active++;
    member.startedAt = now;
    this.#runs.push({
      dagId: spec.dagId,
      kind: spec.schedule?.kind === "datasets" ? "dataset" : "scheduled",
      logicalDate,
      dueAt: new Date(dueAt),
      startedAt: new Date(now),
      endedAt: new Date(endedAt),
    });
    if (endedAt < this.#period.to.getTime()) this.#queue.add(endedAt, RANK.end, { kind: "end", member });
  }

  #end(member: Member, now: number): void {
    member.active--;
    const { schedule, end } = member.dag.spec;
    if (schedule?.kind === "continuous") {
      const next = new Date(Math.max(now, member.startedAt + schedule.spacingMs));
      if (end === null || next <= new Date(end)) this.#due(member, next, next.getTime());
    }
    this.#fill(member, now);
    for (const dataset of member.emits) {
      for (const consumer of this.#consumers.get(dataset) ?? []) {
        consumer.events.push({ id: ++this.#events, dataset, extra: null });
        consumer.eventAt = now;
      }
    }
    const woken = new Set(member.emits.flatMap((dataset) => this.#consumers.get(dataset) ?? []));
    for (const consumer of woken) this.#fill(consumer, now);
  }
}

/** The last tick whose run was due before the period, or null where the DAG had not started. */
function settledBefore(schedule: ClockSchedule, from: Date, start: Date): Date | null {
  const before = isPeriodic(schedule) ? latestRun(schedule, new Date(from.getTime() - 1)) : null;
  return before === null || before.logicalDate < start ? null : before.logicalDate;
}
