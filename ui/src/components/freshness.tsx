/** When a dataset was last written, and whether that is late by its own habit. */
import type { Freshness as FreshnessFacts } from "../../../src/api/contract.ts";
import { duration } from "../lib/format.ts";
import { Ago } from "./time.tsx";
import "./freshness.css";

export function Freshness({ freshness }: { freshness: FreshnessFacts }) {
  const { status, written_at: writtenAt, usual_gap_seconds: gap } = freshness;
  if (writtenAt === null) return <span className="faint">never</span>;
  return (
    <span
      className="freshness"
      data-status={status}
      title={gap === null ? undefined : `Usually every ${duration(gap * 1000)}`}
    >
      <Ago at={writtenAt} />
      {status === "late" && <span className="freshness-late">late</span>}
    </span>
  );
}
