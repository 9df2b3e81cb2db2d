/** Tries as tabs, and the log of the chosen one. */
import { useQuery } from "@tanstack/react-query";
import type { TaskTry } from "../../../src/api/contract.ts";
import { StateMark } from "../components/state-mark.tsx";
import { Took } from "../components/time.tsx";
import { type TaskAddress, triesQuery } from "../lib/queries.ts";
import { LogView } from "./log-view.tsx";

interface Props {
  at: TaskAddress;
  /** 0 = nothing was tried yet. */
  latestTry: number;
  chosenTry: number | undefined;
  line: number | undefined;
  onChoose: (choice: { try?: number; line?: number }) => void;
}

export function LogsTab({ at, latestTry, chosenTry, line, onChoose }: Props) {
  const tries = useQuery(triesQuery(at));
  const shown = chosenTry ?? latestTry;
  if (latestTry === 0) return <p className="panel-body muted">This task has not started yet: there is no log.</p>;
  const known = tries.data?.task_instances ?? [];
  return (
    <>
      {known.length > 1 && (
        <div className="try-tabs" role="tablist" aria-label="Tries">
          {known.map((entry) => (
            <TryTab
              key={entry.try_number}
              entry={entry}
              isShown={entry.try_number === shown}
              onChoose={() => onChoose(entry.try_number === latestTry ? {} : { try: entry.try_number })}
            />
          ))}
        </div>
      )}
      <LogView
        key={shown}
        at={at}
        tryNumber={shown}
        line={line}
        onLine={(number) => onChoose({ ...(chosenTry === undefined ? {} : { try: chosenTry }), line: number })}
      />
    </>
  );
}

function TryTab({ entry, isShown, onChoose }: { entry: TaskTry; isShown: boolean; onChoose: () => void }) {
  return (
    <button
      type="button"
      role="tab"
      aria-selected={isShown}
      className="try-tab"
      title={entry.error ? `${entry.error.code ?? ""} ${entry.error.message}` : undefined}
      onClick={onChoose}
    >
      <StateMark state={entry.state} size={10} />
      Try {entry.try_number}
      <span className="faint">
        <Took start={entry.start_date} end={entry.end_date} />
      </span>
    </button>
  );
}
