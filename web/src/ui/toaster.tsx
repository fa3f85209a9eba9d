// Renders the toasts in their own React root beside the page.
import { useEffect } from "react";
import { createRoot } from "react-dom/client";
import { Toaster } from "sonner";
import { useDark } from "@/lib/theme";

export { toast } from "sonner";

function Place({ onReady }: { onReady: () => void }) {
  const dark = useDark();
  // Effects of children run first, so the toaster listens by then.
  useEffect(onReady, [onReady]);
  return (
    <Toaster
      theme={dark ? "dark" : "light"}
      position="bottom-right"
      toastOptions={{
        className: "font-sans",
        classNames: { description: "break-words whitespace-pre-wrap" },
      }}
    />
  );
}

/** Resolves when the toaster is mounted. */
export const ready = new Promise<void>((resolve) => {
  const place = document.createElement("div");
  document.body.append(place);
  createRoot(place).render(<Place onReady={resolve} />);
});
