/** Horizontal bars from zero with the value at the end of each; an axis with its unit; exact values on hover. */
import { useState } from "react";
import { count } from "../../lib/format.ts";
import type { BarGroup, BarModel } from "./bar-model.ts";

const FIRST_SHOWN = 15;
const TICKS = [0, 0.25, 0.5, 0.75, 1];
const compact = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });

interface Props {
  model: BarModel;
  xTitle: string;
  /** With the unit. */
  yTitle: string;
}

export function BarChart({ model, xTitle, yTitle }: Props) {
  const [isWhole, setWhole] = useState(false);
  const groups = isWhole ? model.groups : model.groups.slice(0, FIRST_SHOWN);
  const hidden = model.groups.length - groups.length;
  return (
    <figure className="chart">
      {model.series.length > 1 && (
        <ul className="chart-legend small">
          {model.series.map((name, index) => (
            <li key={name}>
              <span className="chart-swatch" style={{ background: seriesColor(index) }} /> {name}
            </li>
          ))}
        </ul>
      )}
      <div className="chart-grid" role="table" aria-label={`${yTitle} by ${xTitle}`}>
        <div role="row" className="chart-row chart-titles small muted">
          <span role="columnheader" className="right">
            {xTitle}
          </span>
          <span role="columnheader">{yTitle}</span>
        </div>
        {groups.map((group) => (
          <Row key={group.key} group={group} model={model} unit={yTitle} />
        ))}
      </div>
      <div className="chart-row chart-axis small faint" aria-hidden="true">
        <span />
        <span className="chart-ticks">
          {TICKS.map((tick) => (
            <span key={tick} style={{ left: `${tick * 100}%` }}>
              {compact.format(model.axisEnd * tick)}
            </span>
          ))}
        </span>
      </div>
      {(hidden > 0 || isWhole) && model.groups.length > FIRST_SHOWN && (
        <button type="button" className="button quiet chart-more" onClick={() => setWhole(!isWhole)}>
          {isWhole ? "Show fewer" : `Show ${count(hidden)} more`}
        </button>
      )}
    </figure>
  );
}

function Row({ group, model, unit }: { group: BarGroup; model: BarModel; unit: string }) {
  const single = group.bars.length === 1 ? group.bars[0] : null;
  const shown = single ? count(single.exact) : count(Number(group.total.toFixed(2)));
  return (
    <div role="row" className="chart-row">
      <span role="rowheader" className="chart-label ellipsis" title={group.label}>
        {group.label}
      </span>
      <span role="cell" className="chart-track" title={tooltip(group, unit)}>
        {group.bars.map((bar) => (
          <span
            key={bar.series ?? ""}
            className="chart-bar"
            style={{
              width: `${(100 * bar.value) / model.axisEnd}%`,
              background: seriesColor(bar.series === null ? 0 : model.series.indexOf(bar.series)),
            }}
          />
        ))}
        <span className="chart-value small">{shown}</span>
      </span>
    </div>
  );
}

function tooltip(group: BarGroup, unit: string): string {
  const parts = group.bars.map((bar) => `${bar.series === null ? "" : `${bar.series}: `}${count(bar.exact)}`);
  return `${group.label}\n${parts.join("\n")}\n${unit}`;
}

const SERIES = 5;

function seriesColor(index: number): string {
  return `var(--series-${(Math.max(0, index) % SERIES) + 1})`;
}
