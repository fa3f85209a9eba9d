import { clsx } from "clsx";
import type { ComponentProps, ReactNode } from "react";

export type ButtonKind = "plain" | "primary" | "quiet" | "danger";

const KINDS: Record<ButtonKind, string> = {
  plain: "border border-line-strong bg-raised hover:bg-hover text-text",
  primary: "border border-transparent bg-accent text-on-accent hover:brightness-110",
  quiet: "border border-transparent text-muted hover:text-text hover:bg-hover",
  danger: "border border-line-strong bg-raised text-bad hover:bg-bad-soft",
};

type Props = ComponentProps<"button"> & {
  kind?: ButtonKind;
  icon?: ReactNode;
  /** A call is running: shows a spinner and ignores clicks. */
  busy?: boolean;
};

/** The button. Without children it is an icon button and needs an `aria-label`. */
export function Button({ kind = "plain", icon, busy, className, children, ...rest }: Props) {
  return (
    <button
      type="button"
      {...rest}
      disabled={rest.disabled === true || busy === true}
      aria-busy={busy}
      className={clsx(
        "inline-flex h-7 shrink-0 items-center justify-center gap-1.5 rounded-md text-sm font-medium whitespace-nowrap transition-colors select-none disabled:opacity-50 max-md:h-9",
        children === undefined ? "w-7 max-md:w-9" : "px-2.5",
        KINDS[kind],
        className,
      )}
    >
      {icon}
      {children}
    </button>
  );
}
