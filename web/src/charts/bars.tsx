// Stacked bars: vertical over an axis of days or turns, or horizontal with labels.
import { Bar, BarChart, CartesianGrid, ResponsiveContainer, Tooltip, XAxis, YAxis } from "recharts";
import type { Series } from "./figure";

export type Row = { name: string } & Record<string, string | number>;

interface Props {
  rows: Row[];
  series: Series[];
  /** Formats a value. */
  format: (value: number) => string;
  /** Horizontal bars, each with its label. */
  lying?: boolean;
  /** Values are counts: the axis has no fractions. */
  whole?: boolean;
}

/** Heights in pixels. */
const UPRIGHT_PX = 170;
const LYING_ROW_PX = 24;
const TICK = { fill: "var(--muted)", fontSize: 11 };

function Said(props: {
  active?: boolean;
  label?: string | number;
  payload?: readonly { dataKey?: unknown; value?: unknown }[];
  series: Series[];
  format: (value: number) => string;
}) {
  const { active, label, payload, series, format } = props;
  if (active !== true || !payload?.length) return null;
  return (
    <div className="rounded-md border border-line-strong bg-raised px-2 py-1 text-xs shadow-md">
      <p className="font-medium">{label}</p>
      {series.map(({ key, label: name, colour }) => {
        const value = Number(payload.find(({ dataKey }) => dataKey === key)?.value ?? 0);
        if (value === 0) return null;
        return (
          <p key={key} className="flex items-center gap-1.5">
            <span className="size-2 rounded-sm" style={{ background: colour }} />
            <span className="flex-1 pr-3">{name}</span>
            {format(value)}
          </p>
        );
      })}
    </div>
  );
}

export function Bars({ rows, series, format, lying = false, whole = false }: Props) {
  const height = lying ? rows.length * LYING_ROW_PX + 24 : UPRIGHT_PX;
  const amounts = {
    type: "number",
    tickFormatter: format,
    tick: TICK,
    axisLine: false,
    tickLine: false,
    allowDecimals: !whole,
  } as const;
  const names = {
    type: "category",
    dataKey: "name",
    tick: TICK,
    tickLine: false,
    axisLine: { stroke: "var(--line-strong)" },
  } as const;
  return (
    <ResponsiveContainer width="100%" height={height} initialDimension={{ width: 320, height }}>
      <BarChart
        data={rows}
        layout={lying ? "vertical" : "horizontal"}
        margin={{ top: 4, right: 8, bottom: 0, left: 0 }}
        accessibilityLayer={false}
        maxBarSize={lying ? 14 : 36}
      >
        <CartesianGrid stroke="var(--line)" vertical={lying} horizontal={!lying} />
        {lying ? (
          <>
            <XAxis {...amounts} />
            <YAxis {...names} width={110} interval={0} />
          </>
        ) : (
          <>
            <XAxis {...names} minTickGap={12} />
            <YAxis {...amounts} width={56} />
          </>
        )}
        <Tooltip
          cursor={{ fill: "var(--hover)" }}
          isAnimationActive={false}
          content={({ active, label, payload }) => (
            <Said
              active={active}
              {...(label === undefined ? {} : { label })}
              payload={payload}
              series={series}
              format={format}
            />
          )}
        />
        {series.map(({ key, colour }) => (
          <Bar
            key={key}
            dataKey={key}
            stackId="all"
            fill={colour}
            stroke="var(--surface)"
            strokeWidth={1}
            isAnimationActive={false}
          />
        ))}
      </BarChart>
    </ResponsiveContainer>
  );
}
