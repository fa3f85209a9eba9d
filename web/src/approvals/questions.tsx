// The questions of an approval with their options.
import { clsx } from "clsx";
import { useId, useRef, useState } from "react";
import { Button } from "@/ui/button";
import { Input } from "@/ui/field";
import { KeyHint } from "@/ui/kbd";
import { answersOf, BLANK, press, pressOwn, type Draft, type Question } from "./answers";
import { visible } from "./input";

interface OneProps {
  question: Question;
  draft: Draft;
  missing: boolean;
  /** It is the first one, which the key for answers leads to. */
  first: boolean;
  onChange: (draft: Draft) => void;
}

/** One question: options, and a text for what is none of them. */
function One({ question, draft, missing, first, onChange }: OneProps) {
  const name = useId();
  const type = question.several ? "checkbox" : "radio";
  const key = (at: number) => (first && at === 0 ? { "data-key": "a" } : {});
  const free = question.options.length === 0;
  const label = visible(question.text);
  return (
    <fieldset className="mt-3 first:mt-0">
      <legend className="mb-1 text-base font-medium break-words">
        {question.header !== "" && (
          <span className="mr-2 rounded bg-hover px-1.5 py-0.5 text-xs font-normal text-muted">
            {visible(question.header)}
          </span>
        )}
        {label}
        {question.several && (
          <span className="ml-1.5 text-sm font-normal text-muted">Choose one or more.</span>
        )}
      </legend>
      {question.options.map((option, at) => (
        <label
          key={at}
          className="flex items-start gap-2 rounded px-1.5 py-1 hover:bg-hover has-checked:bg-accent-soft max-md:py-2"
        >
          <input
            {...key(at)}
            type={type}
            name={name}
            checked={draft.chosen.includes(option.label)}
            onChange={() => onChange(press(question, draft, option.label))}
            className="mt-0.5 size-4 shrink-0 accent-(--accent)"
          />
          <span className="min-w-0 break-words">
            <span className="font-medium">{visible(option.label)}</span>
            {option.description !== "" && (
              <span className="block text-muted">{visible(option.description)}</span>
            )}
            {option.preview !== "" && (
              <span className="mt-1 block max-h-60 overflow-auto rounded border bg-sunken px-2 py-1 font-mono text-xs whitespace-pre">
                {visible(option.preview)}
              </span>
            )}
          </span>
        </label>
      ))}
      <div className={clsx("flex items-center gap-2", free ? "" : "px-1.5 py-1")}>
        {!free && (
          <input
            type={type}
            name={name}
            aria-label={`Another answer to: ${label}`}
            checked={draft.own}
            onChange={() =>
              onChange(pressOwn(question, draft, question.several ? !draft.own : true))
            }
            className="size-4 shrink-0 accent-(--accent)"
          />
        )}
        <Input
          {...(free ? key(0) : {})}
          aria-label={`Answer in your own words to: ${label}`}
          placeholder={free ? "Your answer" : "Another answer"}
          {...(missing ? { "aria-invalid": true } : {})}
          value={draft.text}
          onChange={(event) => {
            const text = event.target.value;
            onChange(pressOwn(question, { ...draft, text }, free || text !== ""));
          }}
        />
      </div>
      {missing && (
        <p role="alert" className="mt-0.5 px-1.5 text-xs text-bad">
          Choose or write an answer.
        </p>
      )}
    </fieldset>
  );
}

interface Props {
  questions: Question[];
  busy: boolean;
  /** Further buttons. */
  children: React.ReactNode;
  onAnswer: (answer: Record<string, string | string[]>) => void;
}

export function Questions({ questions, busy, children, onAnswer }: Props) {
  const [drafts, setDrafts] = useState<Draft[]>(() =>
    questions.map(({ options }) => ({ ...BLANK, own: options.length === 0 })),
  );
  const [missing, setMissing] = useState(-1);
  const form = useRef<HTMLFormElement>(null);
  const send = () => {
    const result = answersOf(questions, drafts);
    if ("answer" in result) {
      onAnswer(result.answer);
      return;
    }
    setMissing(result.missing);
    const fields = form.current?.querySelectorAll("fieldset")[result.missing];
    fields?.querySelector<HTMLElement>("input")?.focus();
  };
  return (
    <form
      ref={form}
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        if (!busy) send();
      }}
    >
      {questions.map((question, at) => (
        <One
          key={at}
          question={question}
          draft={drafts[at] ?? BLANK}
          missing={at === missing}
          first={at === 0}
          onChange={(draft) => {
            setDrafts(drafts.with(at, draft));
            setMissing(-1);
          }}
        />
      ))}
      <div className="mt-3 flex flex-wrap gap-2">
        <Button type="submit" kind="primary" busy={busy} className="max-md:flex-1">
          {questions.length > 1 ? "Send answers" : "Send answer"}
          <KeyHint>a</KeyHint>
        </Button>
        {children}
      </div>
    </form>
  );
}
