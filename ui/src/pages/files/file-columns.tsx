/** The columns of the file manifest. */
import type { FeedFile } from "../../../../src/api/contract.ts";
import type { Column } from "../../components/data-table.tsx";
import { Ago } from "../../components/time.tsx";
import { bytes, count } from "../../lib/format.ts";

export function fileColumns(): Column<FeedFile>[] {
  return [
    {
      id: "name",
      title: "File",
      width: "minmax(210px, 2fr)",
      sortBy: (file) => file.name,
      cell: (file) => <span title={file.staging_path ?? file.name}>{file.name.split("/").at(-1)}</span>,
    },
    {
      id: "batch",
      title: "Batch",
      width: "64px",
      align: "right",
      sortBy: (file) => Number(file.batch ?? -1),
      cell: (file) => file.batch ?? "–",
    },
    {
      id: "state",
      title: "State",
      width: "150px",
      sortBy: (file) => file.state,
      cell: (file) => <FileStateCell file={file} />,
    },
    {
      id: "size",
      title: "Size",
      width: "80px",
      align: "right",
      sortBy: (file) => file.bytes ?? -1,
      cell: (file) => bytes(file.bytes),
    },
    ...amountColumns(),
    { id: "balance", title: "Balance", width: "104px", cell: (file) => <Balance file={file} /> },
    {
      id: "seen",
      title: "Seen",
      width: "100px",
      sortBy: (file) => file.seen_at,
      cell: (file) => <Ago at={file.seen_at} />,
    },
    { id: "sha", title: "sha-256", width: "96px", cell: (file) => <Digest sha256={file.sha256} /> },
  ];
}

function amountColumns(): Column<FeedFile>[] {
  const amounts: readonly (readonly [title: string, value: (file: FeedFile) => number | null])[] = [
    ["Read", (file) => file.rows_read],
    ["Loaded", (file) => file.rows_loaded],
    ["Duplicate", (file) => file.rows_duplicate],
    ["Quarantined", (file) => file.rows_quarantined],
  ];
  return amounts.map(([title, value]) => ({
    id: title,
    title,
    width: "104px",
    align: "right",
    sortBy: (file) => value(file) ?? -1,
    cell: (file) => count(value(file)),
  }));
}

function FileStateCell({ file }: { file: FeedFile }) {
  return (
    <span className="file-state" data-file-state={file.state} title={file.reason ?? undefined}>
      {file.state}
      {file.reason && " …"}
    </span>
  );
}

function Balance({ file }: { file: FeedFile }) {
  if (file.balanced === null) return <span className="faint">not counted</span>;
  if (file.balanced) return <span className="balance-ok">✓ balanced</span>;
  const sum = (file.rows_loaded ?? 0) + (file.rows_duplicate ?? 0) + (file.rows_quarantined ?? 0);
  return (
    <span className="balance-off" title={`${file.rows_read} read, ${sum} accounted for`}>
      ✕ {count((file.rows_read ?? 0) - sum)} missing
    </span>
  );
}

const DIGEST_SHOWN = 10;

function Digest({ sha256 }: { sha256: string | null }) {
  if (sha256 === null) return <span className="faint">–</span>;
  return (
    <span className="mono" title={sha256}>
      {sha256.slice(0, DIGEST_SHOWN)}
    </span>
  );
}
