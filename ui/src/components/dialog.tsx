/** A modal dialog on the browser's own <dialog>: focus stays inside, Escape closes, focus returns. */
import { type ReactNode, useEffect, useRef } from "react";
import { Icon } from "./icon.tsx";
import "./dialog.css";

/** Open as long as it is rendered. */
export function Dialog({
  title,
  onClose,
  children,
  footer,
}: {
  title: string;
  onClose: () => void;
  children: ReactNode;
  footer?: ReactNode;
}) {
  const element = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    element.current?.showModal();
    // The browser takes the first button, which is the one that closes; one came to type.
    element.current?.querySelector<HTMLElement>(".dialog-body :is(input, select, textarea)")?.focus();
  }, []);
  return (
    <dialog
      ref={element}
      className="dialog"
      aria-label={title}
      onClose={onClose}
      onKeyDown={(event) => event.key === "Escape" && event.stopPropagation()}
    >
      <header className="dialog-head">
        <h2 className="grow">{title}</h2>
        <button type="button" className="button quiet icon" aria-label="Close" onClick={onClose}>
          <Icon name="close" />
        </button>
      </header>
      <div className="dialog-body">{children}</div>
      {footer && <footer className="dialog-foot">{footer}</footer>}
    </dialog>
  );
}
