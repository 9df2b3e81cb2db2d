/** A search field that reports a pause in typing, not every letter. `/` focuses it. */
import { useEffect, useRef, useState } from "react";
import { isTyping } from "../shell/overlays.tsx";

const PAUSE_MS = 200;

interface Props {
  label: string;
  value: string;
  onChange: (text: string) => void;
}

export function SearchField({ label, value, onChange }: Props) {
  const [text, setText] = useState(value);
  const input = useRef<HTMLInputElement>(null);
  const report = useRef(onChange);
  report.current = onChange;
  useEffect(() => {
    if (text === value) return;
    const timer = setTimeout(() => report.current(text.trim()), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [text, value]);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.key !== "/" || isTyping(event.target)) return;
      event.preventDefault();
      input.current?.focus();
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, []);
  return (
    <input
      ref={input}
      type="search"
      className="field"
      placeholder={`${label}…`}
      aria-label={label}
      value={text}
      onChange={(event) => setText(event.target.value)}
    />
  );
}
