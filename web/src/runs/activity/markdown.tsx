// Markdown of agents and people: no raw HTML; links open in a new tab without opener or referrer.
import { memo } from "react";
import Markdown, { type Components } from "react-markdown";
import remarkGfm from "remark-gfm";

const PLUGINS = [remarkGfm];
/** Images would load from other hosts, so their address is shown as a link. */
const COMPONENTS: Components = {
  a: ({ href, children }) => (
    <a
      href={href}
      target="_blank"
      rel="noopener noreferrer"
      className="text-accent underline underline-offset-2"
    >
      {children}
    </a>
  ),
  img: ({ src, alt }) => (
    <a
      href={typeof src === "string" ? src : undefined}
      target="_blank"
      rel="noopener noreferrer"
      className="text-accent underline underline-offset-2"
    >
      {alt || "picture"}
    </a>
  ),
  pre: ({ children }) => (
    <pre
      tabIndex={0}
      className="my-2 overflow-x-auto rounded-md border bg-sunken p-2 font-mono text-xs"
    >
      {children}
    </pre>
  ),
  code: ({ children, className }) => (
    <code className={className ?? "rounded bg-sunken px-1 font-mono text-[0.92em]"}>
      {children}
    </code>
  ),
  table: ({ children }) => (
    <div className="my-2 overflow-x-auto" tabIndex={0}>
      <table className="border-collapse">{children}</table>
    </div>
  ),
  th: ({ children }) => <th className="border px-2 py-1 text-left font-semibold">{children}</th>,
  td: ({ children }) => <td className="border px-2 py-1 align-top">{children}</td>,
  h1: ({ children }) => <h4 className="mt-3 mb-1 text-lg font-semibold">{children}</h4>,
  h2: ({ children }) => <h4 className="mt-3 mb-1 font-semibold">{children}</h4>,
  h3: ({ children }) => <h5 className="mt-2 mb-1 font-semibold">{children}</h5>,
  h4: ({ children }) => <h6 className="mt-2 mb-1 font-semibold">{children}</h6>,
  ul: ({ children }) => <ul className="my-1 list-disc pl-5">{children}</ul>,
  ol: ({ children, start }) => (
    <ol className="my-1 list-decimal pl-6" start={start}>
      {children}
    </ol>
  ),
  blockquote: ({ children }) => (
    <blockquote className="my-1 border-l-2 border-line-strong pl-3 text-muted">
      {children}
    </blockquote>
  ),
  p: ({ children }) => <p className="my-1 first:mt-0 last:mb-0">{children}</p>,
  hr: () => <hr className="my-3" />,
};

/** Renders again only for another text. */
export default memo(function MarkdownText({ text }: { text: string }) {
  return (
    <Markdown remarkPlugins={PLUGINS} components={COMPONENTS} skipHtml={false}>
      {text}
    </Markdown>
  );
});
