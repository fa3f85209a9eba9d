import { askToTell, useAllowed, useTellSwitch } from "@/app/notify";
import { Button } from "@/ui/button";
import { Check } from "@/ui/field";

/** Notifications of this browser: what it allows, and the person's switch. */
export function BrowserNotifications() {
  const allowed = useAllowed();
  const [choice, choose] = useTellSwitch();
  return (
    <section aria-labelledby="browser">
      <h2 id="browser" className="text-lg font-semibold">
        This browser
      </h2>
      <p className="text-muted">
        A notification when a run needs you or fails while you look elsewhere. One of your open
        pages tells, never several.
      </p>
      <div className="mt-2">
        {allowed === "granted" && (
          <Check
            label="Notify me in this browser"
            checked={choice === "on"}
            onChange={(event) => choose(event.target.checked ? "on" : "off")}
          />
        )}
        {allowed === "default" && (
          <Button onClick={() => void askToTell()}>Allow notifications…</Button>
        )}
        {allowed === "denied" && (
          <p className="text-warn">
            This browser refuses them for this page; its site settings can allow them again.
          </p>
        )}
        {allowed === "impossible" && (
          <p className="text-warn">
            Not possible here: browsers notify only for pages over https or of this very machine.
          </p>
        )}
      </div>
    </section>
  );
}
