import { askToTell, useAllowed, useTellSwitch } from "@/app/notify";
import { Button } from "@/ui/button";
import { Check } from "@/ui/field";

/** Notifications of this browser: its permission and the user's switch. */
export function BrowserNotifications() {
  const allowed = useAllowed();
  const [choice, choose] = useTellSwitch();
  return (
    <section aria-labelledby="browser">
      <h2 id="browser" className="text-lg font-semibold">
        This browser
      </h2>
      <p className="text-muted">
        Shows a notification when a run needs you or fails while you are not looking at it. Only one
        of your open pages shows it.
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
            This browser blocks notifications for this page. Allow them in its site settings.
          </p>
        )}
        {allowed === "impossible" && (
          <p className="text-warn">
            Not available here: browsers allow notifications only on pages served over HTTPS or from
            this machine.
          </p>
        )}
      </div>
    </section>
  );
}
