/** What a task handed on. */
import { useQuery } from "@tanstack/react-query";
import { CopyButton } from "../components/copy.tsx";
import { Empty, ErrorNote, Skeleton } from "../components/feedback.tsx";
import { type TaskAddress, xcomListQuery, xcomQuery } from "../lib/queries.ts";

export function XComTab({ at }: { at: TaskAddress }) {
  const list = useQuery(xcomListQuery(at));
  if (list.isError) {
    return (
      <div className="panel-body">
        <ErrorNote error={list.error} onRetry={() => void list.refetch()} />
      </div>
    );
  }
  if (list.isPending) return <Skeleton />;
  if (list.data.xcom_entries.length === 0) {
    return <Empty title="No XCom">A value that the task returns is shown here once it has succeeded.</Empty>;
  }
  return (
    <div className="panel-body">
      {list.data.xcom_entries.map((entry) => (
        <XComValue key={entry.key} at={at} name={entry.key} />
      ))}
    </div>
  );
}

function XComValue({ at, name }: { at: TaskAddress; name: string }) {
  const entry = useQuery(xcomQuery(at, name));
  const text = entry.data ? JSON.stringify(entry.data.value, null, 2) : "";
  return (
    <section className="xcom">
      <div className="row">
        <h3 className="mono grow">{name}</h3>
        {entry.data && <CopyButton text={text} what="value" />}
      </div>
      {entry.isError && <ErrorNote error={entry.error} />}
      {entry.data && <pre className="code-box">{text}</pre>}
    </section>
  );
}
