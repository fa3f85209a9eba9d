import { expect, test } from "vitest";
import { CallError } from "@/api/client";
import { documentOf, draftOf, faultOf, priceFaults, type Document } from "./model-draft";

const document: Document = {
  prices_as_of: "2026-03-09",
  providers: [
    {
      id: "codex",
      label: "Codex",
      bin: "codex",
      enabled: true,
      default_model: null,
      models: [
        {
          id: "m",
          label: "M",
          input_per_mtok: 0.1,
          output_per_mtok: 20,
          cache_read_per_mtok: 0,
          cache_write_per_mtok: 2.5,
        },
      ],
      installed: true,
      version: "1",
      install_hint: "install it",
    },
  ],
};

test("what is saved is what was read, without what is only in answers", () => {
  const { installed, version, install_hint, ...provider } = document
    .providers[0] as Document["providers"][number];
  expect([installed, version, install_hint]).toEqual([true, "1", "install it"]);
  expect(documentOf(draftOf(document))).toEqual({
    prices_as_of: "2026-03-09",
    providers: [provider],
  });
});

test("the field of a server error leads to its place", () => {
  const refused = (field: string | undefined, message: string) =>
    faultOf(new CallError(400, message, "invalid", field));
  expect(refused("providers[1].bin", "`providers[1].bin` must name a program.")).toEqual({
    provider: 1,
    model: null,
    field: "bin",
    words: "Must name a program",
  });
  expect(
    refused("providers[0].models[2].id", "`providers[0].models[2].id` must name a model."),
  ).toEqual({
    provider: 0,
    model: 2,
    field: "id",
    words: "Must name a model",
  });
  expect(
    refused(
      "providers[0].models[2].input_per_mtok",
      "`providers[0].models[2].input_per_mtok` must be 0 or greater.",
    ),
  ).toEqual({
    provider: 0,
    model: 2,
    field: "input_per_mtok",
    words: "Must be 0 or greater",
  });
  expect(refused(undefined, "The body is not valid JSON.")).toBeNull();
});

test("a price that is no number is found before it is sent", () => {
  const draft = draftOf(document);
  expect(priceFaults(draft)).toEqual([]);
  const providers = draft.providers.map((provider) => ({
    ...provider,
    models: provider.models.map((model) => ({
      ...model,
      output_per_mtok: "2,5",
      cache_read_per_mtok: " ",
    })),
  }));
  expect(priceFaults({ ...draft, providers }).map(({ field }) => field)).toEqual([
    "output_per_mtok",
    "cache_read_per_mtok",
  ]);
});
