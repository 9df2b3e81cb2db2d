/** Why something has not started or goes on, and when that changes: the server's own answer. */
import { useQuery } from "@tanstack/react-query";
import type { Reason } from "../../../src/api/contract.ts";
import { explainQuery, type TaskAddress } from "../lib/queries.ts";
import { At } from "./time.tsx";
import "./why.css";

/** What a run that has not started waits for. */
export function WhyRun({ dagId, runId }: { dagId: string; runId: string }) {
  const explained = useQuery(explainQuery(dagId, runId));
  return <Reasons reasons={explained.data?.reasons ?? []} />;
}

/** What a task instance that is neither running nor ended waits for. */
export function WhyTask({ at }: { at: TaskAddress }) {
  const explained = useQuery(explainQuery(at.dagId, at.runId, at));
  return <Reasons reasons={explained.data?.tasks[0]?.reasons ?? []} />;
}

function Reasons({ reasons }: { reasons: readonly Reason[] }) {
  if (reasons.length === 0) return null;
  return (
    <ul className="why" aria-label="Why it waits">
      {reasons.map(({ code, message, at }) => (
        <li key={code + message}>
          {message}
          {at !== null && (
            <span className="muted">
              {" "}
              · <At at={at} />
            </span>
          )}
        </li>
      ))}
    </ul>
  );
}
