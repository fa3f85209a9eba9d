// The frame of a chart: title, legend, the drawing, and the same numbers as a table.
import { useId, type ReactNode } from "react";

export interface Series {
  key: string;
  label: string;
  /** A role colour, such as `var(--busy)`. */
  colour: string;
}

/** Colours of series by index; the last is for the remainder. */
export const COLOURS = [
  "var(--busy)",
  "var(--accent)",
  "var(--good)",
  "var(--warn)",
  "var(--bad)",
  "var(--muted)",
];

export interface Table {
  head: string[];
  rows: (string | number)[][];
}

interface Props {
  title: string;
  /** What is measured, and the unit. */
  note?: string;
  legend?: Series[];
  table: Table;
  children: ReactNode;
}

export function NumbersTable({ table, caption }: { table: Table; caption: string }) {
  return (
    <div className="max-h-72 overflow-auto" tabIndex={0} role="region" aria-label={caption}>
      <table className="w-full text-right">
        <caption className="sr-only">{caption}</caption>
        <thead className="text-xs text-muted">
          <tr>
            {table.head.map((name, at) => (
              <th key={at} scope="col" className="px-1.5 py-0.5 font-medium first:text-left">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {table.rows.map((row, at) => (
            <tr key={at} className="border-t">
              {row.map((cell, nth) =>
                nth === 0 ? (
                  <th key={nth} scope="row" className="px-1.5 py-0.5 text-left font-normal">
                    {cell}
                  </th>
                ) : (
                  <td key={nth} className="px-1.5 py-0.5">
                    {cell}
                  </td>
                ),
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

export function Figure({ title, note, legend, table, children }: Props) {
  const id = useId();
  return (
    <figure aria-labelledby={id} className="min-w-0">
      <figcaption>
        <h3 id={id} className="font-medium">
          {title}
        </h3>
        {note && <p className="text-xs text-muted">{note}</p>}
        {legend && (
          <ul className="mt-0.5 flex flex-wrap gap-x-3 text-xs text-muted">
            {legend.map(({ key, label, colour }) => (
              <li key={key} className="flex items-center gap-1">
                <span aria-hidden className="size-2.5 rounded-sm" style={{ background: colour }} />
                {label}
              </li>
            ))}
          </ul>
        )}
      </figcaption>
      <div aria-hidden className="mt-1.5">
        {children}
      </div>
      <details className="mt-1 text-xs">
        <summary className="w-fit cursor-pointer py-1 text-muted hover:text-text max-md:py-2.5">
          Data
        </summary>
        <NumbersTable table={table} caption={title} />
      </details>
    </figure>
  );
}
