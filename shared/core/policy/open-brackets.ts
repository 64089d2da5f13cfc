// Brackets of a YAML text that are not closed, for a message at the bracket where the parser reports what follows it.

/** @returns the offset of the innermost [ or { that is open at `end` */
export function openBracket(text: string, end: number): number | undefined {
  const open: number[] = [];
  let quote = '';
  for (let at = 0; at < end; at += 1) {
    const character = text[at] ?? '';
    const startsToken = at === 0 || /[\s[{,]/.test(text[at - 1] ?? '');
    if (quote !== '') {
      if (quote === '"' && character === '\\') at += 1;
      else if (character === quote) quote = '';
    } else if ((character === '"' || character === "'") && startsToken) quote = character;
    else if (character === '#' && /^$|\s/.test(text[at - 1] ?? '')) at = endOfLine(text, at);
    else if (character === '[' || character === '{') {
      // Within a plain scalar outside of brackets, they are text.
      if (open.length > 0 || startsToken) open.push(at);
    } else if (closes(text[open.at(-1) ?? -1], character)) open.pop();
  }
  return open.at(-1);
}

function closes(opening: string | undefined, closing: string): boolean {
  return (opening === '[' && closing === ']') || (opening === '{' && closing === '}');
}

function endOfLine(text: string, from: number): number {
  const end = text.indexOf('\n', from);
  return end < 0 ? text.length : end;
}
