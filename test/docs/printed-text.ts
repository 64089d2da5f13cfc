// Finds the texts in sources that somebody may get to see: the plugin's, in bash, and those of the desk's answers. Goes by the
// quotes and not by what prints, so that no new way of printing is overlooked. What is put in when it runs, a variable or what
// a command says, is shown as ….

/** A command whose output is put in, or a variable in braces; without another one inside. */
const INNERMOST = /\$\(((?:[^()$]|\$(?![({]))*)\)|\$\{((?:[^{}$]|\$(?![({]))*)\}/;
/** What stands for a variable that is empty, or for one that is not. */
const INSTEAD = /:[-+](.*)$/;
const BASH_QUOTES = /'([^']*)'|"((?:[^"\\]|\\.)*)"/g;
const VARIABLE = /\$(?:\w+|[@*#?$!-])|%s/g;

/** The quoted texts of a script, line by line; of what is put into a text the texts come first. */
export function textsOfScript(source: string): string[] {
  const found: string[] = [];
  const keep = (text: string) => found.push(text.replaceAll(VARIABLE, '…').replaceAll(/\\n$/g, ''));
  const collect = (code: string) => {
    for (const [, single, double] of code.matchAll(BASH_QUOTES))
      keep(single ?? double?.replaceAll(/\\(.)/g, '$1') ?? '');
  };
  for (const line of source.split('\n')) {
    let code = /^\s*#/.test(line) ? '' : line;
    while (INNERMOST.test(code))
      code = code.replace(INNERMOST, (_, command?: string, variable?: string) => {
        if (command !== undefined) collect(command);
        const [, instead] = INSTEAD.exec(variable ?? '') ?? [];
        if (instead !== undefined) keep(instead);
        return '…';
      });
    collect(code);
  }
  return found;
}

/** What is put into a template; it may hold one without anything put in. */
const EXPRESSION = /\$\{(?:[^`{}]|`[^`]*`|\{[^{}]*\})*\}/g;
const TYPESCRIPT_TEXTS = new RegExp(
  [
    /\/\*[\s\S]*?\*\/|\/\/[^\n]*/.source,
    /'((?:[^'\\\n]|\\.)*)'|"((?:[^"\\\n]|\\.)*)"/.source,
    `\`((?:[^\`\\\\$]|\\\\.|\\$(?!\\{)|${EXPRESSION.source})*)\``,
  ].join('|'),
  'g',
);

/** The texts of a file in TypeScript that are not in its comments. */
export function textsOfTypeScript(source: string): string[] {
  return [...source.matchAll(TYPESCRIPT_TEXTS)].map(([, single, double, template]) =>
    (single ?? double ?? template?.replaceAll(EXPRESSION, '…') ?? '').replaceAll(/\\(.)/g, '$1'),
  );
}
