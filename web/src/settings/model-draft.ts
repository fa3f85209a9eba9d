// The models document as edited in its form, with prices as typed, and its validation.
import type { CallError, Schemas } from "@/api/client";
import type { Limits } from "./limits";

/** A provider as the API returns it. */
export type Provider = Schemas["ProviderView"] & { limits?: Limits | null };
export type Document = Omit<Schemas["ModelSettingsView"], "providers"> & {
  providers: Provider[];
  /** The day on which the prices were looked up. */
  prices_as_of?: string | null;
};

/** The four prices, in dollars per million tokens. */
export const PRICES = [
  { field: "input_per_mtok", label: "Input" },
  { field: "output_per_mtok", label: "Output" },
  { field: "cache_read_per_mtok", label: "Cache read" },
  { field: "cache_write_per_mtok", label: "Cache write" },
] as const;
export type PriceField = (typeof PRICES)[number]["field"];

export type ModelDraft = { id: string; label: string } & Record<PriceField, string>;
export interface ProviderDraft {
  id: string;
  label: string;
  bin: string;
  enabled: boolean;
  default_model: string;
  models: ModelDraft[];
}
export interface Draft {
  providers: ProviderDraft[];
  /** As `2026-03-09`, or empty. */
  prices_as_of: string;
}

export function draftOf(document: Document): Draft {
  const providers = document.providers.map(
    ({ id, label, bin, enabled, default_model, models }) => ({
      id,
      label,
      bin,
      enabled,
      default_model: default_model ?? "",
      models: models.map((model) => ({
        id: model.id,
        label: model.label,
        input_per_mtok: String(model.input_per_mtok),
        output_per_mtok: String(model.output_per_mtok),
        cache_read_per_mtok: String(model.cache_read_per_mtok),
        cache_write_per_mtok: String(model.cache_write_per_mtok),
      })),
    }),
  );
  return { providers, prices_as_of: document.prices_as_of ?? "" };
}

/** A new row of the table. */
export const emptyModel = (): ModelDraft => ({
  id: "",
  label: "",
  input_per_mtok: "0",
  output_per_mtok: "0",
  cache_read_per_mtok: "0",
  cache_write_per_mtok: "0",
});

/** The document to save. `priceFaults` must have found no errors. */
export function documentOf(draft: Draft): Schemas["ModelSettings"] {
  return {
    prices_as_of: draft.prices_as_of || null,
    providers: draft.providers.map((provider) => ({
      ...provider,
      bin: provider.bin.trim(),
      default_model: provider.default_model.trim() || null,
      models: provider.models.map((model) => ({
        id: model.id.trim(),
        label: model.label.trim() || model.id.trim(),
        input_per_mtok: Number(model.input_per_mtok),
        output_per_mtok: Number(model.output_per_mtok),
        cache_read_per_mtok: Number(model.cache_read_per_mtok),
        cache_write_per_mtok: Number(model.cache_write_per_mtok),
      })),
    })),
  };
}

/** The place of an error: a field of a provider, or of one of its models (`model` set). */
export interface Fault {
  provider: number;
  model: number | null;
  /** A field's name; undefined for the whole row. */
  field: string | null;
  words: string;
}

/** The place of the field that a server error names, if it is one of the form's. */
export function faultOf({ field: path, message }: CallError): Fault | null {
  const found = /^providers\[(\d+)\](?:\.models\[(\d+)\])?(?:\.(\w+))?$/.exec(path ?? "");
  if (!found) return null;
  const [, provider, model, field] = found;
  // Beside the field, its path need not be repeated.
  const words = message.replace(`\`${path}\` `, "").replace(/\.$/, "");
  return {
    provider: Number(provider),
    model: model === undefined ? null : Number(model),
    field: field ?? null,
    words: words.charAt(0).toUpperCase() + words.slice(1),
  };
}

/** Prices that are not numbers. */
export function priceFaults(draft: Draft): Fault[] {
  return draft.providers.flatMap(({ models }, provider) =>
    models.flatMap((model, at) =>
      PRICES.flatMap(({ field }) => {
        const typed = model[field].trim();
        if (typed !== "" && Number.isFinite(Number(typed))) return [];
        return [{ provider, model: at, field, words: "Must be an amount in dollars" }];
      }),
    ),
  );
}
