/** Task instances of a run on a common time axis: waiting parts pale, running parts solid. Draws the rows in view. */
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useRef } from "react";
import type { DagRun, TaskInstance } from "../../../../src/api/contract.ts";
import { Empty } from "../../components/feedback.tsx";
import { StateMark } from "../../components/state-mark.tsx";
import { Took } from "../../components/time.tsx";
import { useNow } from "../../lib/clock.ts";
import { duration } from "../../lib/format.ts";
import { lookOf } from "../../lib/states.ts";

interface Props {
  run: DagRun;
  /** Those that were fetched, of `total`. */
  instances: readonly TaskInstance[];
  total: number;
  /** The last of them came into view. */
  onEnd: () => void;
  selected: string | null;
  onOpen: (taskId: string, mapIndex: number) => void;
}

/** Start and length of the axis, in milliseconds. */
interface Axis {
  start: number;
  length: number;
}

const TICKS = [0, 0.25, 0.5, 0.75, 1];
/** As in run-page.css. */
const ROW_HEIGHT = 33;
const OVERSCAN = 12;

export function Timeline({ run, instances, total, onEnd, selected, onOpen }: Props) {
  const now = useNow();
  const scroller = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: instances.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: OVERSCAN,
  });
  const items = virtual.getVirtualItems();
  const reachesEnd = instances.length > 0 && (items.at(-1)?.index ?? -1) >= instances.length - 1;
  useEffect(() => {
    if (reachesEnd) onEnd();
  }, [reachesEnd, onEnd]);
  if (instances.length === 0) return <Empty title="This run has no tasks" />;
  const start = Date.parse(run.start_date ?? run.queued_at ?? run.run_after);
  const end = run.end_date ? Date.parse(run.end_date) : Math.max(now, start);
  const axis = { start, length: Math.max(1000, end - start) };
  return (
    <div
      className="timeline card"
      ref={scroller}
      tabIndex={0}
      role="table"
      aria-label="Tasks of the run"
      aria-rowcount={total}
    >
      <div className="timeline-row timeline-head small muted" role="row">
        <span role="columnheader">Task</span>
        <span role="columnheader" className="right">
          Took
        </span>
        <span role="columnheader" className="timeline-axis" aria-label="Time since the start of the run">
          {TICKS.map((tick) => (
            <span key={tick} style={{ left: `${tick * 100}%` }} data-end={tick === 1 || undefined}>
              {tick === 0 ? "0" : duration(axis.length * tick)}
            </span>
          ))}
        </span>
      </div>
      <div role="rowgroup" style={{ height: virtual.getTotalSize(), position: "relative" }}>
        {items.map(({ index, start: top }) => {
          const instance = instances[index] as TaskInstance;
          return (
            <Row
              key={`${instance.task_id}/${instance.map_index}`}
              instance={instance}
              top={top}
              axis={axis}
              now={now}
              mark={instance.task_id === selected ? "selected" : "none"}
              onOpen={onOpen}
            />
          );
        })}
      </div>
    </div>
  );
}

interface RowProps {
  instance: TaskInstance;
  /** Pixels from the first row. */
  top: number;
  axis: Axis;
  now: number;
  mark: "selected" | "none";
  onOpen: Props["onOpen"];
}

function Row({ instance, top, axis, now, mark, onOpen }: RowProps) {
  const look = lookOf(instance.state);
  const place = { position: "absolute", transform: `translateY(${top}px)` } as const;
  return (
    <div className="timeline-row" role="row" data-mark={mark} style={place}>
      <span role="cell" className="row timeline-task">
        <StateMark state={instance.state} />
        <button type="button" className="link ellipsis" onClick={() => onOpen(instance.task_id, instance.map_index)}>
          {instance.task_id}
          {instance.map_index >= 0 && ` [${instance.rendered_map_index ?? instance.map_index}]`}
        </button>
        <span className="visually-hidden">{look.word}</span>
        {instance.try_number > 1 && <span className="small muted">try {instance.try_number}</span>}
      </span>
      <span role="cell" className="right">
        <Took start={instance.start_date} end={instance.end_date} />
      </span>
      <span role="cell" className="timeline-track">
        <Bars instance={instance} axis={axis} now={now} />
      </span>
    </div>
  );
}

function Bars({ instance, axis, now }: { instance: TaskInstance; axis: Axis; now: number }) {
  const { start_date: start, end_date: end, queued_when: queued } = instance;
  const at = (time: number) => Math.max(0, Math.min(100, (100 * (time - axis.start)) / axis.length));
  const began = start ? Date.parse(start) : now;
  const ended = end ? Date.parse(end) : now;
  const waited = queued ? Date.parse(queued) : began;
  return (
    <>
      {queued && waited < began && (
        <span
          className="timeline-bar waiting"
          title={`waited ${duration(began - waited)}`}
          style={{ left: `${at(waited)}%`, width: `${at(began) - at(waited)}%` }}
        />
      )}
      {start && (
        <span
          className="timeline-bar"
          data-state={lookOf(instance.state).name}
          title={duration(ended - began)}
          style={{ left: `${at(began)}%`, width: `max(3px, ${at(ended) - at(began)}%)` }}
        />
      )}
    </>
  );
}
