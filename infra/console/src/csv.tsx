// What a view shows as a file of comma-separated values (RFC 4180), for spreadsheets.
import type { Digits } from "./json";
import { say } from "./parts";

export type Cell = string | number | Digits | boolean | null | undefined;

// Many spreadsheets split a line at semicolons or tabs instead of commas. So a formula may also follow such a character.
const BEFORE_FORMULA = /(^|[;\t\r\n])(?=["' ]*[=+\-@＝＋－＠])/g;

/** Return rows as CSV. An apostrophe is in front of a text that a spreadsheet would compute as a formula. */
export const csv = (rows: Cell[][]): string => rows.map((row) => row.map((cell) => (
  typeof cell === "string" ? `"${cell.replace(BEFORE_FORMULA, "$1'").replaceAll('"', '""')}"` : String(cell ?? "")
)).join(",")).join("\r\n") + "\r\n";

/** A button that saves rows as a file. */
export const Save = ({ name, rows }: { name: string; rows: () => Cell[][] }) => (
  <button type="button" class="quiet" aria-label={`Save ${name} as CSV`} onClick={() => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob(["\ufeff", csv(rows())], { type: "text/csv;charset=utf-8" })); // Excel needs the mark
    link.download = `${name.replaceAll(" ", "-")}.csv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    say(`Saved ${name}.csv`);
  }}>CSV</button>
);
