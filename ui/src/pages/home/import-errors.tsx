/** DAG files that cannot be read, with file and line. */
import { useQuery } from "@tanstack/react-query";
import type { ImportErrorEntry } from "../../../../src/api/contract.ts";
import { Ago } from "../../components/time.tsx";
import { importErrorsQuery } from "../../lib/queries.ts";

export function ImportErrors() {
  const errors = useQuery(importErrorsQuery);
  if (!errors.data || errors.data.import_errors.length === 0) return null;
  return (
    <section className="card home-card import-errors" aria-labelledby="import-title">
      <h2 id="import-title">Import errors</h2>
      <p className="small muted">
        These files were changed and cannot be loaded; the last good version of their DAGs goes on.
      </p>
      <ul>
        {errors.data.import_errors.map((error) => (
          <li key={error.import_error_id}>
            <div className="row">
              <span className="mono grow">{placeOf(error)}</span>
              <span className="small muted">
                <Ago at={error.timestamp} />
              </span>
            </div>
            <pre className="import-trace">{error.stack_trace}</pre>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** `file:line`, as editors open it; the line is part of what the server says. */
function placeOf({ filename, stack_trace: trace }: ImportErrorEntry): string {
  const line = /\(line (\d+)\)/.exec(trace)?.[1];
  return line === undefined ? filename : `${filename}:${line}`;
}
