/** What the keys do. */
import { Dialog } from "../components/dialog.tsx";

const KEYS: readonly (readonly [keys: string, meaning: string])[] = [
  ["Ctrl K or ⌘ K", "Find a DAG, run or dataset"],
  ["g then h d v s b q", "Go to Home, DAGs, Services, Datasets, Dashboards, SQL"],
  ["?", "This list"],
  ["Escape", "Close the panel or dialog"],
  ["/", "Search on this page"],
  ["← ↑ → ↓", "Move in the grid"],
  ["Enter", "Open what is marked"],
  ["Ctrl Enter", "Run the query (SQL)"],
];

export function KeyHelp({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title="Keyboard shortcuts" onClose={onClose}>
      <table className="key-table">
        <tbody>
          {KEYS.map(([keys, meaning]) => (
            <tr key={keys}>
              <td>
                <kbd>{keys}</kbd>
              </td>
              <td>{meaning}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Dialog>
  );
}
