// Lists of arguments and of environment variables, one row each.
import { clsx } from "clsx";
import { Eye, EyeOff, Plus, X } from "lucide-react";
import { useState } from "react";
import { Button } from "@/ui/button";
import { Input, TextArea } from "@/ui/field";
import { STORED, type EnvRow } from "./draft";

interface RowsProps<T> {
  /** Label for screen readers; the group around it has the visible label. */
  label: string;
  rows: T[];
  onChange: (rows: T[]) => void;
}

/** Arguments in order. A row can hold several lines, because no shell splits it. */
export function ArgumentRows({ label, rows, onChange }: RowsProps<string>) {
  return (
    <div role="group" aria-label={label} className="space-y-1.5">
      {rows.map((row, at) => (
        <div key={at} className="flex items-start gap-1.5">
          <TextArea
            rows={1}
            aria-label={`${label}, ${at + 1}`}
            spellCheck={false}
            className="field-sizing-content !min-h-8 resize-none font-mono text-xs leading-5"
            value={row}
            onChange={(event) => onChange(rows.with(at, event.target.value))}
          />
          <Button
            kind="quiet"
            icon={<X size={14} />}
            aria-label={`Remove argument ${at + 1}`}
            onClick={() => onChange(rows.toSpliced(at, 1))}
          />
        </div>
      ))}
      <Button icon={<Plus size={14} />} onClick={() => onChange([...rows, ""])}>
        Add argument
      </Button>
    </div>
  );
}

/** Variables by name; values are hidden until the user shows them. */
export function EnvRows({ label, rows, onChange }: RowsProps<EnvRow>) {
  const [shown, setShown] = useState(false);
  const change = (at: number, change: Partial<EnvRow>) => {
    const row = rows[at];
    if (row) onChange(rows.with(at, { ...row, ...change }));
  };
  return (
    <div role="group" aria-label={label} className="space-y-1.5">
      {rows.map((row, at) => (
        <div key={at} className="flex items-center gap-1.5">
          <Input
            aria-label={`Name of variable ${at + 1}`}
            placeholder="NAME"
            spellCheck={false}
            className="font-mono !text-xs"
            value={row.name}
            onChange={(event) => change(at, { name: event.target.value })}
          />
          <Input
            aria-label={`Value of ${row.name || `variable ${at + 1}`}`}
            autoComplete="off"
            title={row.value === STORED ? "Stored and hidden; type to replace it" : undefined}
            placeholder="value"
            spellCheck={false}
            // Not type=password: a browser would offer to keep it as the password of this page.
            className={clsx("font-mono !text-xs", !shown && "[-webkit-text-security:disc]")}
            value={row.value}
            onFocus={(event) => {
              if (row.value === STORED) event.target.select();
            }}
            onChange={(event) => change(at, { value: event.target.value })}
          />
          <Button
            kind="quiet"
            icon={<X size={14} />}
            aria-label={`Remove ${row.name || `variable ${at + 1}`}`}
            onClick={() => onChange(rows.toSpliced(at, 1))}
          />
        </div>
      ))}
      <div className="flex gap-2">
        <Button
          icon={<Plus size={14} />}
          onClick={() => onChange([...rows, { name: "", value: "" }])}
        >
          Add variable
        </Button>
        {rows.length > 0 && (
          <Button
            kind="quiet"
            icon={shown ? <EyeOff size={14} /> : <Eye size={14} />}
            aria-pressed={shown}
            onClick={() => setShown(!shown)}
          >
            {shown ? "Hide values" : "Show values"}
          </Button>
        )}
      </div>
    </div>
  );
}
