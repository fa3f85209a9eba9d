import type { IUnicodeVersionProvider } from "@xterm/xterm";

/** What an xterm takes to count columns, of a table with lines `FIRST..LAST CLASS [wide]`. */
export function widths(table: string): IUnicodeVersionProvider;
