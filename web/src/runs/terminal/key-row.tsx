import { ArrowDown, ArrowLeft, ArrowRight, ArrowUp, ClipboardPaste } from "lucide-react";
import { clsx } from "clsx";
import type { ReactNode } from "react";
import type { Arrow } from "./keys";
import type { TerminalSession } from "./session";

const ARROWS: { which: Arrow; label: string; icon: ReactNode }[] = [
  { which: "left", label: "Left", icon: <ArrowLeft size={16} /> },
  { which: "up", label: "Up", icon: <ArrowUp size={16} /> },
  { which: "down", label: "Down", icon: <ArrowDown size={16} /> },
  { which: "right", label: "Right", icon: <ArrowRight size={16} /> },
];

function Key(props: {
  label: string;
  pressed?: boolean;
  onPress: () => void;
  children: ReactNode;
}) {
  return (
    <button
      type="button"
      aria-label={props.label}
      aria-pressed={props.pressed}
      // Keep the focus, and with it a phone's keyboard, on the terminal.
      onPointerDown={(event) => event.preventDefault()}
      onClick={props.onPress}
      className={clsx(
        "flex h-9 min-w-0 flex-1 items-center justify-center rounded-md border text-sm font-medium select-none",
        props.pressed === true
          ? "border-accent bg-accent text-on-accent"
          : "border-line-strong bg-raised text-text active:bg-hover",
      )}
    >
      {props.children}
    </button>
  );
}

/** The keys that a phone's keyboard lacks. */
export function KeyRow({ session, ctrl }: { session: TerminalSession; ctrl: boolean }) {
  return (
    <div role="group" aria-label="Keys" className="flex gap-1 border-t bg-sunken p-1">
      <Key label="Esc, the escape key" onPress={() => session.type("\x1b")}>
        Esc
      </Key>
      <Key label="Tab" onPress={() => session.type("\t")}>
        Tab
      </Key>
      <Key
        label="Ctrl for the next key"
        pressed={ctrl}
        onPress={() => {
          session.setCtrl(!ctrl);
          session.screen.term.focus();
        }}
      >
        Ctrl
      </Key>
      {ARROWS.map(({ which, label, icon }) => (
        <Key key={which} label={label} onPress={() => session.arrow(which)}>
          {icon}
        </Key>
      ))}
      <Key label="^C, interrupt" onPress={() => session.type("\x03")}>
        ^C
      </Key>
      <Key label="Paste" onPress={() => void session.paste()}>
        <ClipboardPaste size={16} />
      </Key>
    </div>
  );
}
