/** A text area that fits SQL: Tab indents, Ctrl Enter runs. */
import type { KeyboardEvent } from "react";

interface Props {
  value: string;
  onChange: (text: string) => void;
  onRun: () => void;
}

export function SqlEditor({ value, onChange, onRun }: Props) {
  const onKey = (event: KeyboardEvent<HTMLTextAreaElement>) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      onRun();
    }
    // Escape then Tab leaves the field, as in other editors.
    if (event.key === "Escape") event.currentTarget.dataset.leave = "yes";
    else if (event.key === "Tab" && !event.shiftKey && event.currentTarget.dataset.leave !== "yes") {
      event.preventDefault();
      document.execCommand("insertText", false, "  ");
    } else if (event.key !== "Tab") delete event.currentTarget.dataset.leave;
  };
  return (
    <textarea
      className="field sql-editor"
      aria-label="SQL"
      title="Tab indents; Escape, then Tab leaves the editor"
      spellCheck={false}
      autoCapitalize="off"
      autoComplete="off"
      value={value}
      onChange={(event) => onChange(event.target.value)}
      onKeyDown={onKey}
    />
  );
}
