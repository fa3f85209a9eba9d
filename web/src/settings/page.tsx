import { useParams } from "@tanstack/react-router";
import { useEffect, type ComponentType } from "react";
import { Empty } from "@/ui/panes";
import { TabLinks } from "@/ui/tabs";
import { About } from "./about";
import { Models } from "./models";
import { Notifications } from "./notifications";

const PARTS: Record<string, { label: string; part: ComponentType }> = {
  models: { label: "Models and prices", part: Models },
  notifications: { label: "Notifications", part: Notifications },
  about: { label: "About", part: About },
};

export function SettingsPage() {
  const { tab } = useParams({ from: "/settings/$tab" });
  const Part = PARTS[tab]?.part;
  useEffect(() => {
    document.title = "Settings · abbado";
    return () => {
      document.title = "abbado";
    };
  }, []);
  return (
    <div className="flex h-full min-h-0 flex-col">
      <h1 className="px-4 pt-3 pb-1 text-lg font-semibold">Settings</h1>
      <TabLinks
        label="Settings sections"
        current={tab}
        tabs={Object.entries(PARTS).map(([name, { label }]) => ({
          name,
          label,
          to: `/settings/${name}`,
        }))}
      />
      <div className="min-h-0 flex-1 overflow-y-auto">
        {Part ? <Part /> : <Empty title="Page not found">Choose a tab above.</Empty>}
      </div>
    </div>
  );
}
