/** Source text with line numbers and quiet colours for comments, strings and keywords. */
import { useMemo } from "react";
import "./source-view.css";

const TOKENS =
  /(?<comment>\/\/[^\n]*|\/\*[\s\S]*?\*\/)|(?<string>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`)|(?<keyword>\b(?:import|export|default|from|const|let|function|return|async|await|new|type|interface|if|else|for|of|in|throw|try|catch|null|true|false|undefined)\b)/g;

interface Piece {
  text: string;
  className: string;
}

export function SourceView({ source }: { source: string }) {
  const lines = useMemo(() => coloured(source), [source]);
  return (
    <pre className="source" tabIndex={0} role="region" aria-label="Source">
      {lines.map((pieces, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a line's number is its identity
        <div key={index} className="source-line">
          <span className="source-number">{index + 1}</span>
          <code>
            {pieces.map((piece, at) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: pieces of a line never move
              <span key={at} className={piece.className || undefined}>
                {piece.text}
              </span>
            ))}
            {"\n"}
          </code>
        </div>
      ))}
    </pre>
  );
}

/** Lines of pieces; a comment or template over several lines is cut at the line ends. */
function coloured(source: string): Piece[][] {
  const lines: Piece[][] = [[]];
  const push = (text: string, className: string) => {
    text.split("\n").forEach((part, index) => {
      if (index > 0) lines.push([]);
      if (part !== "") lines.at(-1)?.push({ text: part, className });
    });
  };
  let last = 0;
  for (const match of source.matchAll(TOKENS)) {
    push(source.slice(last, match.index), "");
    const kind = Object.entries(match.groups ?? {}).find(([, text]) => text !== undefined)?.[0];
    push(match[0], `source-${kind}`);
    last = match.index + match[0].length;
  }
  push(source.slice(last), "");
  return lines;
}
