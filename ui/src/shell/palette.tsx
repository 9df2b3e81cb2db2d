/** Finds DAGs, runs and datasets by name. Arrows move, Enter opens. */
import { useQuery } from "@tanstack/react-query";
import { useRouter } from "@tanstack/react-router";
import { type KeyboardEvent, useDeferredValue, useState } from "react";
import { Dialog } from "../components/dialog.tsx";
import { StateMark } from "../components/state-mark.tsx";
import { anyRunsQuery, dagSearchQuery, datasetSearchQuery } from "../lib/queries.ts";
import { scheduleInWords } from "../lib/schedule.ts";
import "./palette.css";

interface Option {
  key: string;
  group: "Go to" | "DAGs" | "Runs" | "Datasets";
  label: string;
  detail: string;
  state?: string;
  href: string;
}

const PLACES: readonly Option[] = [
  ["Home", "/"],
  ["DAGs", "/dags"],
  ["Datasets", "/datasets"],
  ["Delivered files", "/files"],
  ["Services", "/services"],
  ["Dashboards", "/dashboards"],
  ["SQL", "/sql"],
].map(([label = "", href = ""]) => ({ key: href, group: "Go to", label, detail: "", href }));

const RECENT_RUNS = 100;
const RUNS_SHOWN = 8;

export default function Palette({ onClose }: { onClose: () => void }) {
  const router = useRouter();
  const [text, setText] = useState("");
  const [marked, setMarked] = useState(0);
  const options = useOptions(text.trim());
  const at = Math.min(marked, options.length - 1);

  const open = (option: Option | undefined) => {
    if (!option) return;
    onClose();
    void router.navigate({ href: option.href });
  };
  const onKey = (event: KeyboardEvent) => {
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (event.key === "Enter") open(options[at]);
    if (step === 0) return;
    event.preventDefault();
    const next = (at + step + options.length) % Math.max(1, options.length);
    setMarked(next);
    document.getElementById(`palette-${next}`)?.scrollIntoView({ block: "nearest" });
  };
  return (
    <Dialog title="Find" onClose={onClose}>
      <input
        className="palette-input"
        placeholder="Name of a DAG, run or dataset"
        aria-label="Name of a DAG, run or dataset"
        role="combobox"
        aria-expanded="true"
        aria-controls="palette-list"
        aria-activedescendant={`palette-${at}`}
        value={text}
        onKeyDown={onKey}
        onChange={(event) => {
          setText(event.target.value);
          setMarked(0);
        }}
      />
      <div className="palette-list" id="palette-list" role="listbox" aria-label="Found">
        {options.map((option, index) => (
          <PaletteOption
            key={`${option.group}${option.key}`}
            option={option}
            index={index}
            isMarked={index === at}
            startsGroup={option.group !== options[index - 1]?.group}
            onOpen={() => open(option)}
            onMark={() => setMarked(index)}
          />
        ))}
        {options.length === 0 && <p className="muted">Nothing has this name.</p>}
      </div>
    </Dialog>
  );
}

interface OptionProps {
  option: Option;
  index: number;
  isMarked: boolean;
  startsGroup: boolean;
  onOpen: () => void;
  onMark: () => void;
}

function PaletteOption({ option, index, isMarked, startsGroup, onOpen, onMark }: OptionProps) {
  return (
    <>
      {startsGroup && <h3>{option.group}</h3>}
      <button
        type="button"
        id={`palette-${index}`}
        role="option"
        aria-selected={isMarked}
        tabIndex={-1}
        className="palette-option"
        onClick={onOpen}
        onMouseMove={onMark}
      >
        {option.state && <StateMark state={option.state} />}
        <span className="ellipsis">{option.label}</span>
        <span className="faint small ellipsis grow right">{option.detail}</span>
      </button>
    </>
  );
}

/** What fits the text at this moment: Enter never opens what fitted the letters before. */
function useOptions(text: string): Option[] {
  const asked = useDeferredValue(text);
  const dags = useQuery(dagSearchQuery(asked));
  const datasets = useQuery(datasetSearchQuery(asked));
  const runs = useQuery(anyRunsQuery("palette", { limit: RECENT_RUNS, order_by: "-run_after" }));
  const wanted = text.toLowerCase();
  const places = PLACES.filter((place) => place.label.toLowerCase().includes(wanted));
  const foundRuns = (runs.data?.dag_runs ?? []).filter((run) =>
    `${run.dag_id} ${run.dag_run_id}`.toLowerCase().includes(wanted),
  );
  // What was found for the letters before stays until the answer comes; only what still fits is offered.
  const foundDags = (dags.data?.dags ?? []).filter((dag) => dag.dag_id.toLowerCase().includes(wanted));
  const foundDatasets = (datasets.data?.datasets ?? []).filter((dataset) =>
    `${dataset.id} ${dataset.description ?? ""}`.toLowerCase().includes(wanted),
  );
  return [
    ...places,
    ...foundDags.map((dag): Option => {
      const href = `/dags/${encodeURIComponent(dag.dag_id)}`;
      return { key: dag.dag_id, group: "DAGs", label: dag.dag_id, detail: scheduleInWords(dag), href };
    }),
    ...foundRuns.slice(0, RUNS_SHOWN).map((run): Option => {
      const href = `/dags/${encodeURIComponent(run.dag_id)}/runs/${encodeURIComponent(run.dag_run_id)}`;
      return {
        key: run.dag_id + run.dag_run_id,
        group: "Runs",
        label: run.dag_run_id,
        detail: run.dag_id,
        state: run.state,
        href,
      };
    }),
    ...foundDatasets.map((dataset): Option => {
      const href = `/datasets/${encodeURIComponent(dataset.id)}`;
      return { key: dataset.id, group: "Datasets", label: dataset.id, detail: dataset.description ?? "", href };
    }),
  ];
}
