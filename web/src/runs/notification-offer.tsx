import { BellRing } from "lucide-react";
import { askToTell, useAllowed } from "@/app/notify";
import { useStored } from "@/lib/stored";
import { Button } from "@/ui/button";

/** Offers browser notifications until the user answers, once per browser. */
export function NotificationOffer() {
  const allowed = useAllowed();
  const [answer, setAnswer] = useStored<"open" | "given">("notification-offer", "open");
  if (allowed !== "default" || answer === "given") return null;
  return (
    <div className="flex items-center gap-1.5 border-b bg-sunken px-3 py-1.5">
      <BellRing size={14} aria-hidden className="shrink-0 text-muted" />
      <p className="min-w-0 flex-1 text-muted">Get a browser notification when a run needs you?</p>
      <Button
        onClick={() => {
          setAnswer("given");
          void askToTell();
        }}
      >
        Yes
      </Button>
      <Button kind="quiet" onClick={() => setAnswer("given")}>
        No
      </Button>
    </div>
  );
}
