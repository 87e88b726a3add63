// A trend as a line chart, with a gap where there is no value. The same figures stand in a table for everybody.
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Durations } from "./api";
import { duration, utcDay } from "./texts";

export interface Point {
  from: string;
  to: string;
  durations: Durations;
}

const [HEIGHT, TOP, LEFT, RIGHT, BOTTOM] = [200, 8, 64, 24, 28];
const LINES = [["mean", "mean"], ["p90", "p90"], ["median", "p50"]] as const;

/** Return steps in minutes that read well as hours and days. */
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 4320, 7200, 10_080, 14_400, 28_800, 43_200,
  86_400, 144_000, 288_000, 576_000];

export function Chart({ points, label }: { points: Point[]; label: string }) {
  const box = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(640);
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    const measure = () => setWidth(element.clientWidth);
    measure();
    const sizes = new ResizeObserver(measure);
    sizes.observe(element);
    return () => sizes.disconnect();
  }, []);
  const times = points.map(({ from }) => Date.parse(from));
  const [first = 0, last = 0] = [times[0], times.at(-1)];
  const most = Math.max(10, ...points.flatMap(({ durations }) => LINES.map(([, name]) => durations[name] ?? 0))) * 1.1;
  const x = (at: number): number => Math.round(LEFT + ((at - first) / (last - first || 1)) * (width - LEFT - RIGHT));
  const y = (minutes: number): number => Math.round(HEIGHT - BOTTOM - (minutes / most) * (HEIGHT - TOP - BOTTOM));
  const step = STEPS.find((one) => most / one <= 5) ?? most;
  const every = Math.ceil(times.length / Math.max(1, Math.floor((width - LEFT) / 72)));
  return (
    <div ref={box} class="chart" role="img" aria-label={label}>
      <svg viewBox={`0 0 ${width} ${HEIGHT}`} width={width} height={HEIGHT} aria-hidden="true">
        {Array.from({ length: Math.floor(most / step) + 1 }, (_, index) => index * step).map((minutes) => (
          <g key={minutes}>
            <path class="grid" d={`M${LEFT} ${y(minutes)}H${width - RIGHT}`} />
            <text x={LEFT - 8} y={y(minutes) + 4} text-anchor="end">{minutes === 0 ? "0" : duration(minutes)}</text>
          </g>
        ))}
        {points.map(({ from }, index) => index % every === 0 && (
          <text key={from} x={x(times[index] ?? 0)} y={HEIGHT - 8} text-anchor="middle">{utcDay(from)}</text>
        ))}
        {LINES.map(([name, value]) => {
          const known = points.map(({ durations }, index) => {
            const minutes = durations[value];
            return minutes === null ? null : ([x(times[index] ?? 0), y(minutes)] as const);
          });
          return (
            <g key={name} class={name}>
              <path d={known.map((one, index) => one && `${known[index - 1] ? "L" : "M"}${one[0]} ${one[1]}`).join("")} />
              {known.map((one, index) => one && <circle key={index} cx={one[0]} cy={one[1]} r="2.5" />)}
            </g>
          );
        })}
      </svg>
    </div>
  );
}
