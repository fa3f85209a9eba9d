// Pieces of a run's output, by Range. Offsets are absolute: they hold when old output was dropped.
import { CallError } from "@/api/client";

export interface Piece {
  /** Where `bytes` begin. */
  from: number;
  bytes: Uint8Array;
  /** Where the output ends so far. */
  total: number;
}

/** Most bytes read at once and shown. */
export const PIECE_BYTES = 1024 * 1024;

export const logAddress = (runId: string) => `/api/runs/${encodeURIComponent(runId)}/logs`;

/** `bytes 10-19/200` as its numbers. */
export function parseContentRange(header: string | null): { from: number; total: number } | null {
  const parts = /^bytes (\d+)-\d+\/(\d+)$/.exec(header ?? "");
  return parts ? { from: Number(parts[1]), total: Number(parts[2]) } : null;
}

async function read(runId: string, range: string): Promise<Piece> {
  let answer: Response;
  let bytes: Uint8Array;
  try {
    answer = await fetch(logAddress(runId), { headers: { Range: `bytes=${range}` } });
    bytes = new Uint8Array(await answer.arrayBuffer());
  } catch {
    throw new CallError(0, "The server cannot be reached.");
  }
  if (answer.status === 416) return { from: 0, bytes: new Uint8Array(), total: 0 };
  if (!answer.ok) throw new CallError(answer.status, new TextDecoder().decode(bytes).trim());
  const place = parseContentRange(answer.headers.get("Content-Range"));
  return { from: place?.from ?? 0, bytes, total: place?.total ?? bytes.length };
}

/** The last `PIECE_BYTES` of the output. */
export const readTail = (runId: string) => read(runId, `-${PIECE_BYTES}`);

/**
 * The output after `end`, which is not 0. The request includes the byte before it, so that the
 * range is never empty.
 */
export async function readAfter(runId: string, end: number): Promise<Piece> {
  const piece = await read(runId, `${end - 1}-${end - 1 + PIECE_BYTES}`);
  return piece.from === end - 1 ? { ...piece, from: end, bytes: piece.bytes.subarray(1) } : piece;
}
