import { Check, Copy } from "lucide-react";
import { useEffect, useState } from "react";
import { Button } from "./button";
import { failed } from "./toast";

/** How long the check mark stays, in milliseconds. */
const SHOWN_MS = 1500;

/** A value in the fixed font with a button that copies it. */
export function Copyable({ text, what }: { text: string; what: string }) {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [copied]);
  return (
    <span className="flex min-w-0 items-center gap-1">
      <code className="min-w-0 font-mono text-xs break-all">{text}</code>
      <Button
        kind="quiet"
        className="md:!h-5 md:!w-6"
        icon={copied ? <Check size={13} className="text-good" /> : <Copy size={13} />}
        aria-label={copied ? `Copied ${what}` : `Copy ${what}`}
        onClick={() => {
          navigator.clipboard.writeText(text).then(
            () => setCopied(true),
            (error: unknown) => failed("Could not copy", error),
          );
        }}
      />
    </span>
  );
}
