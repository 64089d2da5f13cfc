// Lines of a CSV file, by RFC 4180, for people who open it in a spreadsheet.

export type CsvCell = string | number | boolean | null | undefined;

/**
 * A spreadsheet takes text that begins with one of these for a formula, also with spaces, or with characters that it drops, in front of
 * one; and a job chooses the name of its branch. Source: owasp.org/www-community/attacks/CSV_Injection.
 */
const FORMULA = /^(?:[\t\r\n]|[\s\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}]*[=+\-@\uff1d\uff0b\uff0d\uff20])/u;

export function csvLine(cells: readonly CsvCell[]): string {
  return `${cells.map(csvCell).join(',')}\r\n`;
}

/** A number stays one: only text can be a formula. */
function csvCell(value: CsvCell): string {
  if (value === null || value === undefined) return '';
  const text = typeof value === 'string' && FORMULA.test(value) ? `'${value}` : `${value}`;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
