/** A task in a run: what it did, try by try. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { TaskInstance } from "../../../src/api/contract.ts";
import { ERROR_CODES, type ErrorCode } from "../../../src/errors.ts";
import { Empty, ErrorNote, Skeleton } from "../components/feedback.tsx";
import { Icon } from "../components/icon.tsx";
import { StateBadge } from "../components/state-mark.tsx";
import { Took } from "../components/time.tsx";
import { WhyTask } from "../components/why.tsx";
import { middleCut } from "../lib/format.ts";
import { type TaskAddress, taskInstanceQuery, tasksQuery } from "../lib/queries.ts";
import type { PanelSearch, PanelView } from "../lib/search.ts";
import { WAITING_STATES } from "../lib/states.ts";
import { Approval } from "./approval.tsx";
import { InstanceDetails } from "./instance-details.tsx";
import { LogsTab } from "./logs-tab.tsx";
import { MappedList } from "./mapped-list.tsx";
import { PanelActions } from "./panel-actions.tsx";
import { Progress } from "./progress.tsx";
import { XComTab } from "./xcom-tab.tsx";
import "../components/tabs.css";
import "./task-panel.css";

interface Props {
  at: TaskAddress;
  search: PanelSearch;
  onSearch: (search: PanelSearch) => void;
  onClose: () => void;
}

const VIEWS: readonly (readonly [view: PanelView, word: string])[] = [
  ["logs", "Logs"],
  ["xcom", "XCom"],
  ["details", "Details"],
];

/** States in which somebody may ask what an instance waits for. */
const WAITING: ReadonlySet<string> = new Set(WAITING_STATES);

export default function TaskPanel({ at, search, onSearch, onClose }: Props) {
  const tasks = useQuery(tasksQuery(at.dagId));
  const isMapped = tasks.data?.tasks.find((task) => task.task_id === at.taskId)?.is_mapped ?? false;
  const instance = useQuery(taskInstanceQuery(at));
  const isList = at.mapIndex < 0 && isMapped && instance.data === null;
  return (
    <>
      <header className="panel-head">
        <div className="row">
          <h2 className="ellipsis" title={at.taskId}>
            {at.taskId}
          </h2>
          {at.mapIndex >= 0 && (
            <button
              type="button"
              className="pill panel-map"
              onClick={() => onSearch({ run: search.run, task: at.taskId })}
            >
              ‹ item {at.mapIndex}
            </button>
          )}
          <span className="grow" />
          {(instance.data || isList) && <PanelActions at={at} state={instance.data?.state ?? null} />}
          <button
            type="button"
            className="button quiet icon"
            aria-label="Close the panel"
            title="Close (Escape)"
            onClick={onClose}
          >
            <Icon name="close" />
          </button>
        </div>
        <div className="row wrap muted small">
          {instance.data && <Facts instance={instance.data} />}
          <Link to="/dags/$dagId/runs/$runId" params={{ dagId: at.dagId, runId: at.runId }} title={at.runId}>
            {middleCut(at.runId, 48)}
          </Link>
        </div>
        {instance.data && <Trouble instance={instance.data} />}
        {instance.data && WAITING.has(instance.data.state ?? "none") && <WhyTask at={at} />}
        {instance.data?.state === "deferred" && instance.data.operator_name === "approval" && <Approval at={at} />}
        {instance.data?.progress && <Progress progress={instance.data.progress} />}
      </header>
      {isList && <MappedList at={at} onOpen={(map) => onSearch({ run: search.run, task: at.taskId, map })} />}
      {instance.data === null && !isList && !tasks.isPending && (
        <div className="panel-body">
          <Empty title="This run has no such task">Its DAG may have had it in another version.</Empty>
        </div>
      )}
      {instance.isError && (
        <div className="panel-body">
          <ErrorNote error={instance.error} onRetry={() => void instance.refetch()} />
        </div>
      )}
      {instance.isPending && <Skeleton />}
      {instance.data && <Views at={at} instance={instance.data} search={search} onSearch={onSearch} />}
    </>
  );
}

function Facts({ instance }: { instance: TaskInstance }) {
  return (
    <>
      <span className="panel-state">
        <StateBadge state={instance.state} />
      </span>
      <span>
        <Took start={instance.start_date} end={instance.end_date} />
      </span>
      <span>
        try {instance.try_number} of {instance.max_tries + 1}
      </span>
      <span>{instance.operator_name}</span>
    </>
  );
}

function Trouble({ instance }: { instance: TaskInstance }) {
  if (!instance.error) return null;
  const isFailure = instance.state === "failed" || instance.state === "up_for_retry";
  return (
    <div className={isFailure ? "panel-trouble" : "panel-trouble waiting"} role={isFailure ? "alert" : "note"}>
      {instance.error.code && <strong className="mono">{instance.error.code} </strong>}
      {instance.error.message}
      {isFailure && <Remedy code={instance.error.code} />}
    </div>
  );
}

/** What can be done about a code: the server's own table, so that the two cannot differ. */
function Remedy({ code }: { code: string | null }) {
  if (code === null || !Object.hasOwn(ERROR_CODES, code)) return null;
  return <div className="small muted">{ERROR_CODES[code as ErrorCode].remedy}</div>;
}

interface ViewsProps {
  at: TaskAddress;
  instance: TaskInstance;
  search: PanelSearch;
  onSearch: (search: PanelSearch) => void;
}

function Views({ at, instance, search, onSearch }: ViewsProps) {
  const view = search.view ?? "logs";
  const place = { run: search.run, task: at.taskId, ...(at.mapIndex >= 0 ? { map: at.mapIndex } : {}) };
  return (
    <>
      <div className="tabs panel-tabs" role="tablist" aria-label="Views of the task">
        {VIEWS.map(([name, word]) => (
          <button
            key={name}
            type="button"
            role="tab"
            aria-selected={view === name}
            className="tab"
            onClick={() => onSearch(name === "logs" ? place : { ...place, view: name })}
          >
            {word}
          </button>
        ))}
      </div>
      {view === "logs" && (
        <LogsTab
          at={at}
          latestTry={instance.try_number}
          chosenTry={search.try}
          line={search.line}
          onChoose={(choice) => onSearch({ ...place, ...choice })}
        />
      )}
      {view === "xcom" && <XComTab at={at} />}
      {view === "details" && <InstanceDetails instance={instance} />}
    </>
  );
}
