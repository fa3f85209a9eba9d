// The title and the icon of the tab show how many runs wait for a person.
import { useEffect } from "react";

function icon(count: number): string {
  const dot =
    count > 0 ? '<circle cx="12" cy="4" r="4" fill="#c2410c" stroke="#fff" stroke-width="1"/>' : "";
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><path d="M2 13 8 2l6 11M5 9h6" fill="none" stroke="#c2410c" stroke-width="2" stroke-linecap="round" stroke-linejoin="round"/>${dot}</svg>`;
  return `data:image/svg+xml,${encodeURIComponent(svg)}`;
}

/** The title with this count in front, in place of any other. */
export function withCount(title: string, waiting: number): string {
  const base = title.replace(/^\(\d+\) /, "");
  return waiting > 0 ? `(${waiting}) ${base}` : base;
}

/** Shows the count, also after a page has set a title of its own. */
export function useBadge(waiting: number) {
  useEffect(() => {
    document
      .querySelector<HTMLLinkElement>('link[rel="icon"]')
      ?.setAttribute("href", icon(waiting));
    const show = () => {
      const title = withCount(document.title, waiting);
      if (title !== document.title) document.title = title;
    };
    show();
    const element = document.querySelector("title");
    if (!element) return;
    const observer = new MutationObserver(show);
    observer.observe(element, { childList: true, characterData: true, subtree: true });
    return () => observer.disconnect();
  }, [waiting]);
}
