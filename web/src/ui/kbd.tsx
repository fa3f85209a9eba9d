import { clsx } from "clsx";

interface Props {
  children: string;
  /** On a button, whose colours it takes. */
  onButton?: boolean;
}

/** A key as labelled on the keyboard. */
export function Kbd({ children, onButton }: Props) {
  if (children === "…") return <span className="text-muted">…</span>;
  return (
    <kbd
      className={clsx(
        "rounded border px-1.5 font-mono text-xs whitespace-nowrap",
        onButton ? "border-current/40 font-normal" : "border-line-strong bg-sunken",
      )}
    >
      {children}
    </kbd>
  );
}

/** The key that does the same as the button around it; not on a phone. */
export function KeyHint({ children }: { children: string }) {
  return (
    <span className="max-md:hidden">
      <Kbd onButton>{children}</Kbd>
    </span>
  );
}
