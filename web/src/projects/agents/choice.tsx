import { useState } from "react";
import { Input, Select } from "@/ui/field";

interface Props {
  id: string;
  "aria-describedby"?: string;
  "aria-invalid"?: true;
  value: string;
  onChange: (value: string) => void;
  choices: { value: string; label: string }[];
  /** Label of the text field for other values. */
  otherLabel: string;
  placeholder?: string;
}

const OTHER = "\u0000other";

/** A list of known values and a text field for any other. */
export function Choice(props: Props) {
  const { value, onChange, choices, otherLabel, placeholder, ...ids } = props;
  const known = choices.some((choice) => choice.value === value);
  const [writing, setWriting] = useState(!known);
  const other = writing || !known;
  return (
    <div className="flex gap-2 max-sm:flex-col">
      <Select
        {...ids}
        value={other ? OTHER : value}
        onChange={(event) => {
          const next = event.target.value;
          setWriting(next === OTHER);
          if (next !== OTHER) onChange(next);
        }}
      >
        {choices.map((choice) => (
          <option key={choice.value} value={choice.value}>
            {choice.label}
          </option>
        ))}
        <option value={OTHER}>Other…</option>
      </Select>
      {other && (
        <Input
          aria-label={otherLabel}
          aria-invalid={ids["aria-invalid"]}
          autoFocus={writing && known}
          spellCheck={false}
          placeholder={placeholder}
          value={value}
          onChange={(event) => onChange(event.target.value)}
        />
      )}
    </div>
  );
}
