import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Eye, EyeOff } from "lucide-react";
import { useState } from "react";
import { api, CallError, data, type Schemas } from "@/api/client";
import { keys } from "@/api/keys";
import { notificationsQuery } from "@/api/queries";
import { Button } from "@/ui/button";
import { Check, Field, Input } from "@/ui/field";
import { Failed, Skeleton } from "@/ui/panes";
import { failed, succeeded } from "@/ui/toast";
import { BrowserNotifications } from "./browser-notifications";

type Settings = Schemas["NotificationSettingsView"];

const SWITCHES = [
  {
    field: "notify_on_attention",
    label: "A run needs you",
    hint: "It asks for a permission or an answer.",
  },
  { field: "notify_on_run_failed", label: "A run failed", hint: "With the reason." },
  {
    field: "notify_on_pipeline_complete",
    label: "A run goes idle or ends",
    hint: "For runs whose bell is on.",
  },
] as const;

/** Sends a message to the saved webhook and shows the result. */
function SendTest({ disabled }: { disabled: boolean }) {
  const [state, setState] = useState<"idle" | "busy" | { ok: boolean; words: string }>("idle");
  const send = async () => {
    setState("busy");
    try {
      await data(api.POST("/api/settings/notifications/test"));
      setState({ ok: true, words: "Sent. Check your channel." });
    } catch (error) {
      setState({ ok: false, words: error instanceof Error ? error.message : String(error) });
    }
  };
  return (
    <div className="mt-3 flex flex-wrap items-center gap-x-3 gap-y-1">
      <Button onClick={() => void send()} busy={state === "busy"} disabled={disabled}>
        Send a test message
      </Button>
      <p role="status" className="min-w-0 break-words">
        {typeof state === "object" && (
          <span className={state.ok ? "text-good" : "text-bad"}>{state.words}</span>
        )}
      </p>
    </div>
  );
}

function Discord({ settings }: { settings: Settings }) {
  const client = useQueryClient();
  // A switch moves at once, and back when saving fails. The server's state wins.
  const [moved, setMoved] = useState<Partial<Settings>>({});
  const [heard, setHeard] = useState(settings);
  if (heard !== settings) {
    setHeard(settings);
    setMoved({});
  }
  const [url, setUrl] = useState<string | null>(null);
  const [shown, setShown] = useState(false);
  const [fault, setFault] = useState<string>();
  const [busy, setBusy] = useState(false);
  const save = async (change: Partial<Settings>) => {
    setFault(undefined);
    setBusy(true);
    try {
      const saved = await data(api.PUT("/api/settings/notifications", { body: change }));
      client.setQueryData(keys.notifications, saved);
      return true;
    } catch (error) {
      setMoved({});
      if (error instanceof CallError && error.field === "discord_webhook_url")
        setFault(error.message);
      else failed("Could not save the settings", error);
      return false;
    } finally {
      setBusy(false);
    }
  };
  const saveUrl = async (next: string) => {
    if (!(await save({ discord_webhook_url: next }))) return;
    setUrl(null);
    setShown(false);
    succeeded(next === "" ? "Webhook removed." : "Webhook saved.");
  };
  return (
    <section aria-labelledby="discord">
      <h2 id="discord" className="text-lg font-semibold">
        Discord
      </h2>
      <p className="text-muted">
        Sends messages to one channel, with the first 200 characters of what happened.
      </p>
      <form
        className="mt-3"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          void saveUrl((url ?? settings.discord_webhook_url).trim());
        }}
      >
        <Field
          label="Webhook URL"
          error={fault}
          hint="In Discord: channel settings, Integrations, Webhooks. Anyone who knows the URL can post to the channel."
        >
          {(ids) => (
            <div className="flex gap-1.5">
              <Input
                {...ids}
                type={shown || url !== null ? "text" : "password"}
                autoComplete="off"
                spellCheck={false}
                className="min-w-0 font-mono"
                placeholder="https://discord.com/api/webhooks/…"
                value={url ?? settings.discord_webhook_url}
                onChange={(event) => setUrl(event.target.value)}
              />
              {url === null && settings.discord_webhook_url !== "" && (
                <Button
                  kind="quiet"
                  className="md:!h-8"
                  icon={shown ? <EyeOff size={15} /> : <Eye size={15} />}
                  aria-label={shown ? "Hide the URL" : "Show the URL"}
                  onClick={() => setShown(!shown)}
                />
              )}
            </div>
          )}
        </Field>
        <div className="mt-2 flex gap-2">
          {url !== null && (
            <>
              <Button kind="primary" type="submit" busy={busy}>
                Save
              </Button>
              <Button
                onClick={() => {
                  setUrl(null);
                  setFault(undefined);
                }}
              >
                Discard
              </Button>
            </>
          )}
          {url === null && settings.discord_webhook_url !== "" && (
            <Button kind="danger" busy={busy} onClick={() => void saveUrl("")}>
              Remove webhook
            </Button>
          )}
        </div>
      </form>
      <fieldset className="mt-4">
        <legend className="mb-1 font-medium">Notify when</legend>
        {SWITCHES.map(({ field, label, hint }) => (
          <Check
            key={field}
            label={
              <span>
                {label} <span className="text-muted">{hint}</span>
              </span>
            }
            checked={moved[field] ?? settings[field]}
            onChange={(event) => {
              const change = { [field]: event.target.checked };
              setMoved((before) => ({ ...before, ...change }));
              void save(change);
            }}
          />
        ))}
      </fieldset>
      <SendTest disabled={settings.discord_webhook_url === "" || url !== null} />
    </section>
  );
}

export function Notifications() {
  const settings = useQuery(notificationsQuery());
  return (
    <div className="flex max-w-2xl flex-col gap-6 px-4 py-4">
      <BrowserNotifications />
      {settings.isPending ? (
        <Skeleton />
      ) : settings.isError ? (
        <Failed error={settings.error} retry={() => void settings.refetch()} />
      ) : (
        <Discord settings={settings.data} />
      )}
    </div>
  );
}
