// All keyboard shortcuts, for the dialog that lists them.

export interface KeyLine {
  /** As labelled on keyboards; one entry per alternative. */
  keys: string[];
  what: string;
}

export const KEYS: { title: string; lines: KeyLine[] }[] = [
  {
    title: "Everywhere",
    lines: [
      { keys: ["Ctrl K", "⌘ K"], what: "Command palette" },
      { keys: ["n"], what: "New run" },
      { keys: ["i"], what: "Inbox" },
      { keys: ["?"], what: "Keyboard shortcuts" },
      { keys: ["Tab"], what: "Next control" },
    ],
  },
  {
    title: "Run list",
    lines: [
      { keys: ["j"], what: "Next run" },
      { keys: ["k"], what: "Previous run" },
      { keys: ["/"], what: "Filter runs" },
    ],
  },
  {
    title: "Inbox",
    lines: [
      { keys: ["j", "↓"], what: "Next approval" },
      { keys: ["k", "↑"], what: "Previous approval" },
      { keys: ["a"], what: "Go to “Allow” or the answers; Enter confirms" },
      { keys: ["Shift A"], what: "Go to “Allow always”; Enter confirms" },
      { keys: ["d"], what: "Deny: write why, Enter confirms" },
      { keys: ["o"], what: "Open the run" },
    ],
  },
  {
    title: "Run",
    lines: [
      { keys: ["c"], what: "Continue: message the agent" },
      { keys: ["p"], what: "Pause" },
      { keys: ["1", "…", "6"], what: "Terminal, Activity, Tasks, Changes, Logs, Details" },
      { keys: ["Esc"], what: "Back to the list" },
    ],
  },
  {
    title: "Terminal and activity",
    lines: [
      { keys: ["Ctrl Shift ."], what: "Leave the terminal" },
      { keys: ["Ctrl Shift F"], what: "Search the terminal" },
      { keys: ["Shift F"], what: "Search the activity" },
    ],
  },
  {
    title: "Message box",
    lines: [
      { keys: ["Enter"], what: "Send" },
      { keys: ["Shift Enter"], what: "New line" },
      { keys: ["Esc"], what: "Leave the message box" },
    ],
  },
];
