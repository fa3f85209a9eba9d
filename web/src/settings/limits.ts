// Who enforces an agent's limits, in words.

/** `cli`: the CLI itself; `counted`: abbado counts and pauses; `none`: nobody. */
type By = "cli" | "counted" | "none";
type Mode = { max_turns: string; allowed_tools: string };
export interface Limits {
  interactive: Mode;
  headless: Mode;
}

const TURNS: Record<By, string> = {
  cli: "the CLI stops at max turns",
  counted: "abbado pauses the run at max turns",
  none: "max turns is not enforced",
};
const TOOLS: Record<By, string> = {
  cli: "the CLI enforces the allowed tools",
  counted: "abbado enforces the allowed tools",
  none: "allowed tools are not enforced",
};

function words(mode: Mode): string {
  const turns = TURNS[mode.max_turns as By] ?? `max turns: ${mode.max_turns}`;
  const tools = TOOLS[mode.allowed_tools as By] ?? `allowed tools: ${mode.allowed_tools}`;
  return `${turns}, ${tools}.`;
}

/** One line for both modes if they are equal, else one each. */
export function limitWords({ interactive, headless }: Limits): string[] {
  const [first, second] = [words(interactive), words(headless)];
  if (first === second) return [first.charAt(0).toUpperCase() + first.slice(1)];
  return [`Interactive: ${first}`, `Headless: ${second}`];
}
