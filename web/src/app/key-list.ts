// Every key of the page, for the dialog that lists them.

export interface KeyLine {
  /** As they are written on keyboards, alternatives apart. */
  keys: string[];
  what: string;
}

export const KEYS: { title: string; lines: KeyLine[] }[] = [
  {
    title: "Everywhere",
    lines: [
      { keys: ["Ctrl K", "⌘ K"], what: "Everything by name" },
      { keys: ["n"], what: "New run" },
      { keys: ["?"], what: "This list" },
      { keys: ["Tab"], what: "To the next control" },
    ],
  },
  {
    title: "List of runs",
    lines: [
      { keys: ["j"], what: "Next run" },
      { keys: ["k"], what: "Run before" },
      { keys: ["/"], what: "Filter the runs" },
    ],
  },
  {
    title: "A run",
    lines: [
      { keys: ["c"], what: "Continue: write to the agent" },
      { keys: ["p"], what: "Pause" },
      { keys: ["1", "…", "6"], what: "Terminal, Activity, Tasks, Changes, Logs, Details" },
      { keys: ["Esc"], what: "Back to the list" },
    ],
  },
  {
    title: "Terminal and activity",
    lines: [
      { keys: ["Ctrl Shift ."], what: "Leave the terminal" },
      { keys: ["Ctrl Shift F"], what: "Search in the terminal" },
      { keys: ["Shift F"], what: "Search in the activity" },
    ],
  },
  {
    title: "Message box",
    lines: [
      { keys: ["Enter"], what: "Send" },
      { keys: ["Shift Enter"], what: "New line" },
      { keys: ["Esc"], what: "Leave the box" },
    ],
  },
];
