import { Link } from "@tanstack/react-router";
import { clsx } from "clsx";
import { useEffect, useRef, type ReactNode } from "react";

export interface TabLink {
  name: string;
  label: ReactNode;
  to: string;
}

/** A row of links to the parts of a page; each part has its own URL. */
export function TabLinks({
  tabs,
  current,
  label,
}: {
  tabs: TabLink[];
  current: string;
  label: string;
}) {
  const row = useRef<HTMLElement>(null);
  useEffect(() => {
    const nav = row.current;
    if (!nav) return;
    // Counts in the labels arrive later and move the other tabs.
    const observer = new ResizeObserver(() => {
      const link = nav.querySelector("[aria-current=page]");
      link?.scrollIntoView({ block: "nearest", inline: "nearest" });
    });
    for (const link of nav.children) observer.observe(link);
    return () => observer.disconnect();
  }, [current]);
  return (
    <nav ref={row} aria-label={label} className="flex shrink-0 gap-1 overflow-x-auto border-b px-3">
      {tabs.map((tab) => (
        <Link
          key={tab.name}
          to={tab.to}
          aria-current={tab.name === current ? "page" : undefined}
          className={clsx(
            "-mb-px flex items-center gap-1.5 border-b-2 px-2 py-1.5 whitespace-nowrap max-md:py-2.5",
            tab.name === current
              ? "border-accent font-medium text-text"
              : "border-transparent text-muted hover:text-text",
          )}
        >
          {tab.label}
        </Link>
      ))}
    </nav>
  );
}
