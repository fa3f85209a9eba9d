import { Plus, X } from "lucide-react";
import { useId } from "react";
import { Button } from "@/ui/button";
import { Input } from "@/ui/field";
import { emptyModel, PRICES, type Fault, type ModelDraft } from "./model-draft";

interface Props {
  provider: string;
  models: ModelDraft[];
  faults: Fault[];
  onChange: (models: ModelDraft[]) => void;
}

const isPrice = (field: string | null) => PRICES.some((price) => price.field === field);

/** Models with their prices in dollars per million tokens; on a phone each is a block. */
export function ModelTable({ provider, models, faults, onChange }: Props) {
  const id = useId();
  const set = (at: number, model: ModelDraft) => onChange(models.with(at, model));
  return (
    <div className="mt-2">
      {models.length > 0 && (
        <table className="w-full max-md:block">
          <caption className="sr-only">
            Models of {provider} with prices in dollars per million tokens
          </caption>
          <thead className="text-left text-xs text-muted max-md:sr-only">
            <tr>
              <th className="py-1 font-medium">Model</th>
              <th className="font-medium">Name</th>
              {PRICES.map(({ field, label }) => (
                <th key={field} className="w-26 font-medium">
                  {label}, $
                </th>
              ))}
              <th className="w-8">
                <span className="sr-only">Remove</span>
              </th>
            </tr>
          </thead>
          <tbody className="max-md:block">
            {models.map((model, at) => {
              const own = faults.filter((fault) => fault.model === at);
              const note = own.length > 0 ? `${id}-${at}` : undefined;
              const marks = (field: string) => {
                const wrong = own.some(
                  (fault) => fault.field === field || (fault.field === null && isPrice(field)),
                );
                return wrong ? { "aria-invalid": true as const, "aria-describedby": note } : {};
              };
              const name = model.id || `model ${at + 1}`;
              return (
                <tr
                  key={at}
                  className="align-top max-md:mb-3 max-md:grid max-md:grid-cols-2 max-md:gap-x-2 max-md:border-b max-md:pb-3"
                >
                  <td className="py-0.5 pr-1.5 max-md:col-span-2">
                    <Input
                      aria-label={`Id of model ${at + 1}`}
                      className="font-mono"
                      placeholder="model id"
                      spellCheck={false}
                      value={model.id}
                      onChange={(event) => set(at, { ...model, id: event.target.value })}
                      {...marks("id")}
                    />
                    {own.length > 0 && (
                      <p id={note} role="alert" className="mt-0.5 text-xs text-bad">
                        {[...new Set(own.map(({ words }) => words))].join(". ")}.
                      </p>
                    )}
                  </td>
                  <td className="py-0.5 pr-1.5 max-md:col-span-2">
                    <Input
                      aria-label={`Name of ${name}`}
                      placeholder="display name"
                      value={model.label}
                      onChange={(event) => set(at, { ...model, label: event.target.value })}
                      {...marks("label")}
                    />
                  </td>
                  {PRICES.map(({ field, label }) => (
                    <td key={field} className="py-0.5 pr-1.5">
                      <span aria-hidden className="text-xs text-muted md:hidden">
                        {label}, $
                      </span>
                      <Input
                        aria-label={`${label} of ${name}, dollars per million tokens`}
                        inputMode="decimal"
                        className="text-right max-md:text-left"
                        value={model[field]}
                        onChange={(event) => set(at, { ...model, [field]: event.target.value })}
                        {...marks(field)}
                      />
                    </td>
                  ))}
                  <td className="py-0.5 max-md:col-span-2 max-md:justify-self-end">
                    <Button
                      kind="quiet"
                      className="md:!h-8"
                      icon={<X size={14} />}
                      aria-label={`Remove ${name}`}
                      onClick={() => onChange(models.toSpliced(at, 1))}
                    />
                  </td>
                </tr>
              );
            })}
          </tbody>
        </table>
      )}
      <Button
        className="mt-1"
        icon={<Plus size={14} />}
        aria-label={`Add a model to ${provider}`}
        onClick={() => onChange([...models, emptyModel()])}
      >
        Add a model
      </Button>
    </div>
  );
}
