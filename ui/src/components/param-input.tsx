/** The input of one param of a DAG. */
import { useId } from "react";
import type { ParamField } from "../lib/params-form.ts";
import "./param-input.css";

interface Props {
  field: ParamField;
  value: string;
  /** What is wrong with what was typed. */
  problem: string | null;
  onChange: (text: string) => void;
}

export function ParamInput({ field, value, problem, onChange }: Props) {
  const id = useId();
  return (
    <div className="param-input">
      <label htmlFor={id}>
        <span className="mono">{field.name}</span>
        {field.isRequired && <span title="required"> *</span>} <span className="faint small">{field.type}</span>
      </label>
      <Control id={id} field={field} value={value} onChange={onChange} />
      {field.description && <div className="small muted">{field.description}</div>}
      {problem && (
        <div className="small param-problem" role="alert">
          {field.name} {problem}
        </div>
      )}
    </div>
  );
}

interface ControlProps {
  id: string;
  field: ParamField;
  value: string;
  onChange: (text: string) => void;
}

function Control({ id, field, value, onChange }: ControlProps) {
  if (field.kind === "choice") {
    return (
      <select id={id} className="field" value={value} onChange={(event) => onChange(event.target.value)}>
        {!field.choices.includes(value) && <option value="">–</option>}
        {field.choices.map((choice) => (
          <option key={choice}>{choice}</option>
        ))}
      </select>
    );
  }
  if (field.kind === "switch") {
    return (
      <select id={id} className="field" value={value} onChange={(event) => onChange(event.target.value)}>
        <option>true</option>
        <option>false</option>
      </select>
    );
  }
  if (field.kind === "json") {
    return (
      <textarea id={id} className="field" rows={3} value={value} onChange={(event) => onChange(event.target.value)} />
    );
  }
  const mode = field.kind === "number" ? "decimal" : "text";
  return (
    <input
      id={id}
      className="field"
      inputMode={mode}
      value={value}
      onChange={(event) => onChange(event.target.value)}
    />
  );
}
