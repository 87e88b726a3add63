// How times, durations, amounts and texts of callers are shown. All functions are pure, except for the reader's zone.
import type { Amount } from "./api";

export const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;

/** Return how a form reads a typed time. On a page in UTC, a Z at the end changes nothing. */
export const typedIn = (zone: string): string =>
  /^(Etc\/)?(UTC|GMT)$/.test(zone) ? "In UTC" : `In ${zone.replaceAll("_", " ")}. A Z at the end means UTC`;

const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });
const DAY_OF_YEAR = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const MOMENT = new Intl.DateTimeFormat("en-GB", {
  day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23",
});
const UTC_DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
const UTC_DAY_OF_YEAR = new Intl.DateTimeFormat("en-GB", {
  day: "numeric", month: "short", year: "numeric", timeZone: "UTC",
});
const NUMBER = new Intl.NumberFormat("en-US", { maximumFractionDigits: 4 });

/** Return a timestamp in the reader's zone, such as "24 Nov 2026, 23:40". */
export const moment = (timestamp: string): string => MOMENT.format(new Date(timestamp));

/** Return the day of a timestamp in the reader's zone, such as "24 Nov 2026". */
export const day = (timestamp: string): string => DAY.format(new Date(timestamp));

/** Return a timestamp in UTC, such as "2026-11-24 22:40:00 UTC". */
export const utc = (timestamp: string): string => `${timestamp.slice(0, 19).replace("T", " ")} UTC`;

/** Return the day of a timestamp in the reader's zone, without the year if it is this year: "24 Nov". */
export const shortDay = (timestamp: string, now: number): string => {
  const at = new Date(timestamp);
  return (at.getFullYear() === new Date(now).getFullYear() ? DAY_OF_YEAR : DAY).format(at);
};

/** Return a UTC date of a metrics window, such as "24 Nov" or "24 Nov 2026". */
export const utcDay = (date: string, withYear = false): string =>
  (withYear ? UTC_DAY_OF_YEAR : UTC_DAY).format(new Date(`${date}T00:00:00Z`));

/** Return a number of minutes as its two largest units, such as "1 d 4 h", "8 h 12 min" or "22 min". */
export function duration(minutes: number): string {
  const whole = Math.max(0, Math.round(minutes));
  const [days, hours, rest] = [Math.floor(whole / 1440), Math.floor((whole % 1440) / 60), whole % 60];
  if (days > 0) return hours > 0 && days < 100 ? `${days} d ${hours} h` : `${NUMBER.format(days)} d`;
  if (hours > 0) return rest > 0 ? `${hours} h ${rest} min` : `${hours} h`;
  return `${rest} min`;
}

/** Return the minutes between two moments. */
export const minutesBetween = (from: string, to: string | number): number =>
  (new Date(to).getTime() - new Date(from).getTime()) / 60_000;

/** Return an amount such as "48,250.50 USD" or "48,000 USD". */
export function dollars(amount: Amount): string {
  const [whole = "", fraction] = String(amount).split(".");
  return `${whole.replace(/\B(?=(\d{3})+$)/g, ",")}${fraction ? `.${fraction.padEnd(2, "0")}` : ""} USD`;
}

/** Return "1 asset" or "3 assets". */
export const counted = (n: number, noun: string, many = `${noun}s`): string =>
  `${NUMBER.format(n)} ${n === 1 ? noun : many}`;

/** Return a field's name or a value of a list of words as people write it: "root cause" for "root_cause". */
export const words = (name: string): string =>
  name.replace(/_ids$/, "s").replace(/_id$/, "").replace(/_at$/, "").replaceAll("_", " ");

/**
 * Return a caller's text with its invisible direction controls made visible.
 *
 * With such a character, a text could look like another one: a file that ends in "exe" could read as a picture.
 */
export const visible = (text: string): string =>
  text.replace(/[\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]/g, (one) =>
    `[U+${one.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}]`);
