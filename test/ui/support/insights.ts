/** Answers of the insight and SQL endpoints, which need a lake: checked against the contract, so that they cannot drift from it. */
import { type Insight, type InsightSummary, insight, sqlResult } from "../../../src/api/contract.ts";

const WRITTEN_BY = {
  dag_id: "qcompany_batch",
  dag_run_id: "batch-2",
  task_id: "enrich",
  map_index: -1,
  try_number: 1,
  attempt_id: "019a0000-0000-7000-8000-000000000000",
  at: "2026-11-22T10:20:30.000Z",
};

const PRODUCTS = [
  ["Skirt", "964", "300", "664", "35821.04", "16"],
  ["Headphones", "929", "310", "619", "86106.40", "4"],
  ["Coffee Maker", "902", "295", "607", "67851.50", "22"],
  ["Boots", "640", "215", "425", "122054.39", "18"],
  ["Boots", "610", "200", "410", "99942.81", "9"],
];

/** The insight with rows, or with none. */
export function insightAnswer(summary: InsightSummary, rows: "some" | "none"): Insight {
  const columns = [
    { name: summary.chart.x, type: "string" },
    { name: summary.chart.y, type: "bigint" },
    { name: "online_units", type: "bigint" },
    { name: "offline_units", type: "bigint" },
    { name: "revenue", type: "decimal(14,2)" },
    { name: "product_id", type: "string" },
  ];
  if (summary.chart.series) columns.push({ name: summary.chart.series, type: "string" });
  const drawn = PRODUCTS.map((row, index) => (summary.chart.series ? [...row, `offer_${(index % 5) + 1}`] : row));
  return insight.parse({
    ...summary,
    columns,
    rows: rows === "some" ? drawn : [],
    written_by: rows === "some" ? WRITTEN_BY : null,
    read_at: "2026-11-22T10:21:00.000Z",
  });
}

/** What `POST /api/sql` answers. */
export const SQL_ANSWER = sqlResult.parse({
  columns: [
    { name: "product_name", type: "string" },
    { name: "units_sold", type: "bigint" },
    { name: "revenue", type: "decimal(14,2)" },
  ],
  rows: [
    ["Skirt", "964", "35821.04"],
    ['Coffee "Maker", large', "902", null],
  ],
  truncated: true,
  duration_ms: 1234,
});
