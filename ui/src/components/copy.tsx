/** Copies a text and says so. */

import { Icon } from "./icon.tsx";
import { toast } from "./toasts.tsx";

/** `what` names the thing in the button's label and in the confirmation. */
export function CopyButton({ text, what }: { text: string; what: string }) {
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      toast({ text: `Copied the ${what}` });
    } catch {
      toast({ text: `The browser does not allow copying; select the ${what} by hand` });
    }
  };
  return (
    <button
      type="button"
      className="button quiet icon"
      aria-label={`Copy the ${what}`}
      title={`Copy the ${what}`}
      onClick={() => void copy()}
    >
      <Icon name="copy" />
    </button>
  );
}
