// Text in commands that people paste into a shell. Names, conditions and settings come from others: one that is not quoted runs as a command.

/** One word for bash and zsh, whatever is in it. A terminal shows every character. */
export function shellQuote(text: string): string {
  if (/^[A-Za-z0-9_%+=:,./@-]+$/.test(text)) return text;
  if (!UNPRINTABLE.test(text)) return `'${text.replaceAll("'", `'\\''`)}'`;
  const escaped = text.replaceAll(/['\\]/g, '\\$&').replaceAll(new RegExp(UNPRINTABLE, 'gu'), toEscape);
  return `$'${escaped}'`;
}

/** Part of a command, with its words already quoted. */
export interface Quoted {
  readonly quoted: string;
}

/** A command as a template: each text in it becomes one word, or part of one. */
export function shellCommand(parts: TemplateStringsArray, ...values: readonly (string | Quoted)[]): string {
  return parts.map((part, index) => `${part}${written(values[index])}`).join('');
}

function written(value: string | Quoted | undefined): string {
  if (value === undefined) return '';
  return typeof value === 'string' ? shellQuote(value) : value.quoted;
}

/** What a terminal does not show as it is, such as characters that change the direction of text. */
const UNPRINTABLE = /\p{C}|\p{Zl}|\p{Zp}|\p{Default_Ignorable_Code_Point}|\u2800|(?! )\p{Zs}/u;

/** The bytes of UTF-8. */
function toEscape(character: string): string {
  return [...Buffer.from(character)].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('');
}
