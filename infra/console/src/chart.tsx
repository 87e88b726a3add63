// A trend as a line chart, with a gap where there is no value. The same figures stand in a table for everybody.
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import type { Durations } from "./api";
import { duration, utcDay } from "./texts";

export interface Point {
  from: string;
  to: string;
  durations: Durations;
}

const HEIGHT = 200;

/** Return steps in minutes that read well as hours and days. */
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 4320, 7200, 10_080, 14_400, 28_800, 43_200,
  86_400, 144_000, 288_000, 576_000];

export function Chart({ points, label }: { points: Point[]; label: string }) {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    let plot: uPlot | null = null;
    const draw = () => {
      plot?.destroy();
      plot = new uPlot(options(element), data(points), element);
    };
    draw();
    const sizes = new ResizeObserver(() => plot && plot.width !== element.clientWidth && draw());
    sizes.observe(element);
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    scheme.addEventListener("change", draw);
    return () => {
      sizes.disconnect();
      scheme.removeEventListener("change", draw);
      plot?.destroy();
    };
  }, [points]);
  return <div ref={box} class="chart" role="img" aria-label={label} />;
}

/** Return at most ``most`` of the values, at equal distances, so that each label stands below a value. */
function everyFew(values: ArrayLike<number>, most: number): number[] {
  const step = Math.ceil(values.length / most);
  return Array.from(values).filter((_, index) => index % step === 0);
}

const seconds = (date: string): number => Date.parse(`${date}T00:00:00Z`) / 1000;

const data = (points: Point[]): uPlot.AlignedData => [
  points.map(({ from }) => seconds(from)),
  points.map(({ durations }) => durations.mean),
  points.map(({ durations }) => durations.p50),
  points.map(({ durations }) => durations.p90),
];

function options(element: HTMLElement): uPlot.Options {
  const style = getComputedStyle(element);
  const color = (name: string): string => style.getPropertyValue(name).trim();
  const font = `12px ${style.fontFamily}`;
  const axis = { stroke: color("--muted"), grid: { stroke: color("--line"), width: 1 }, ticks: { show: false }, font };
  const line = { spanGaps: false, width: 2, points: { size: 6, width: 2 } };
  return {
    width: element.clientWidth,
    height: HEIGHT,
    tzDate: (at) => uPlot.tzDate(new Date(at * 1000), "Etc/UTC"),
    legend: { show: false },
    cursor: { show: false },
    scales: { x: { time: true }, y: { range: (_, __, max) => [0, Math.max(max * 1.1, 10)] } },
    axes: [
      {
        ...axis,
        grid: { show: false },
        size: 28,
        splits: (plot) => everyFew(plot.data[0], Math.max(1, Math.floor((plot.width - 64) / 72))),
        values: (_, splits) => splits.map((at) => utcDay(new Date(at * 1000).toISOString().slice(0, 10))),
      },
      { ...axis, size: 64, space: 28, incrs: STEPS, values: (_, splits) => splits.map((minutes) => (minutes === 0 ? "0" : duration(minutes))) },
    ],
    series: [
      {},
      { ...line, label: "mean", stroke: color("--muted"), dash: [2, 4] },
      { ...line, label: "median", stroke: color("--accent") },
      { ...line, label: "p90", stroke: color("--second"), dash: [6, 4] },
    ],
  };
}
