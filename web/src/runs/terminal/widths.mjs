// How many columns a character takes, by the table that the server's emulator has: a box that a
// program draws around emoji closes, and a page that is loaded again shows what it showed.

const CLASSES = [
  "other",
  "prepend",
  "extend",
  "regional",
  "spacing",
  "L",
  "V",
  "T",
  "LV",
  "LVT",
  "zwj",
  "pictographic",
];
const [OTHER, PREPEND, EXTEND, REGIONAL, SPACING, L, V, T, LV, LVT, ZWJ, PICTOGRAPHIC] =
  CLASSES.keys();

/** Lines `FIRST..LAST CLASS [wide]`. */
function read(table) {
  const ranges = [];
  for (const line of table.split("\n")) {
    const [range, name, wide] = line.split(" ");
    if (!name) continue;
    const [first, last] = range.split("..");
    ranges.push({
      first: parseInt(first, 16),
      last: parseInt(last ?? first, 16),
      kind: CLASSES.indexOf(name),
      width: wide ? 2 : 1,
    });
  }
  return ranges;
}

function joins(before, after) {
  switch (after) {
    case EXTEND:
    case ZWJ:
    case SPACING:
      return true;
    case L:
    case LV:
    case LVT:
      return before === L || before === PREPEND;
    case V:
      return before === L || before === LV || before === V || before === PREPEND;
    case T:
      return [LV, V, LVT, T, PREPEND].includes(before);
    case PICTOGRAPHIC:
      return before === ZWJ || before === PREPEND;
    case REGIONAL:
      return before === REGIONAL || before === PREPEND;
    default:
      return before === PREPEND;
  }
}

/** What an xterm takes to count columns: see `IUnicodeVersionProvider` there. */
export function widths(table) {
  const ranges = read(table);
  const narrow = { kind: OTHER, width: 1 };

  function lookUp(code) {
    if (code < 0xa9) return narrow;
    if (code >= 0xac00 && code <= 0xd7a3) {
      return { kind: (code - 0xac00) % 28 === 0 ? LV : LVT, width: 2 };
    }
    let from = 0;
    let to = ranges.length;
    while (from < to) {
      const middle = (from + to) >> 1;
      if (ranges[middle].last < code) from = middle + 1;
      else to = middle;
    }
    const range = ranges[from];
    return range && range.first <= code ? range : narrow;
  }

  return {
    version: "abbado",
    wcwidth(code) {
      const { kind, width } = lookUp(code);
      return kind === EXTEND || kind === ZWJ ? 0 : width;
    },
    // The class, the width in two bits, and whether it joins what was before in one.
    charProperties(code, preceding) {
      let { kind, width } = lookUp(code);
      const before = preceding >> 3;
      const join = preceding !== 0 && joins(before, kind);
      if (join) {
        const pair = kind === REGIONAL && before === REGIONAL;
        width = pair ? 2 : Math.max(width, (preceding >> 1) & 3);
        // A third regional indicator begins a flag of its own.
        if (pair) kind = OTHER;
      }
      return (kind << 3) | (width << 1) | (join ? 1 : 0);
    },
  };
}
