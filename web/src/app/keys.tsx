// Shortcuts of the whole page. Lists and runs add their own while they are mounted.
import { useNavigate } from "@tanstack/react-router";
import { useEffect, useRef } from "react";
import { tinykeys, type KeyBindingMap } from "tinykeys";
import { openPalette, setOpen } from "./palette-state";

function typing(event: KeyboardEvent): boolean {
  const at = event.target;
  return (
    at instanceof HTMLElement &&
    (at.isContentEditable ||
      /^(INPUT|TEXTAREA|SELECT)$/.test(at.tagName) ||
      at.closest("[role=dialog], [role=menu], .xterm") !== null)
  );
}

/** Binds keys while the component is mounted. Plain keys are ignored while the user types. */
export function useKeys(map: KeyBindingMap) {
  const latest = useRef(map);
  useEffect(() => {
    latest.current = map;
  });
  const names = Object.keys(map).join(" ");
  useEffect(() => {
    const bound: KeyBindingMap = {};
    for (const name of names.split(" ")) {
      bound[name] = (event) => {
        if (typing(event) && !name.startsWith("$mod")) return;
        latest.current[name]?.(event);
      };
    }
    return tinykeys(window, bound);
  }, [names]);
}

export function Keys() {
  const navigate = useNavigate();
  useKeys({
    "$mod+k": (event) => {
      event.preventDefault();
      openPalette();
    },
    n: (event) => {
      event.preventDefault();
      void navigate({ to: "/runs/new" });
    },
    i: () => void navigate({ to: "/inbox" }),
    "Shift+?": () => setOpen("keys"),
  });
  return null;
}
