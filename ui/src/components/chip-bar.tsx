/** A row of chips of which one is chosen; the first stands for all. */
import "./chip-bar.css";

interface ChipBarProps<T extends string> {
  readonly label: string;
  readonly options: readonly T[];
  /** undefined = all. */
  readonly chosen: T | undefined;
  onChoose(option: T | undefined): void;
}

export function ChipBar<T extends string>({ label, options, chosen, onChoose }: ChipBarProps<T>) {
  return (
    <div className="chip-bar" role="group" aria-label={label}>
      {[undefined, ...options].map((option) => (
        <button
          key={option ?? "all"}
          type="button"
          className="chip"
          aria-pressed={option === chosen}
          onClick={() => onChoose(option)}
        >
          {option ?? "all"}
        </button>
      ))}
    </div>
  );
}
