// Options that take a value: one whose value is another option, empty or of another form, and one that is given twice. Commander takes the
// next word as the value, whatever it is, and keeps the last of two values.

import { type CommandUnknownOpts, InvalidArgumentError, type Option } from '@commander-js/extra-typings';

/** @param command has the options itself, and not in a subcommand */
export function checkOptionValues(command: CommandUnknownOpts): void {
  const parse = command.parseOptions.bind(command);
  const parseOptions = (words: string[]) => {
    const given = optionsGiven(command, words);
    const parsed = parse(words);
    const again = given.find((option, at) => given.indexOf(option) !== at && !isList(command, option));
    if (again) command.error(`error: ${again.long} is given twice. Give it once.`);
    return parsed;
  };
  Object.assign(command, { parseOptions });
  for (const option of command.options) explainForm(command, option);
}

/** The options with a value, each as often as it is given. Ends the process where the value is an option. */
function optionsGiven(command: CommandUnknownOpts, words: readonly string[]): Option[] {
  const given: Option[] = [];
  const byFlag = (flag: string) => command.options.find(({ long, short }) => long === flag || short === flag);
  for (let at = 0; at < words.length && words[at] !== '--'; at += 1) {
    const word = words[at] ?? '';
    const option = byFlag(word) ?? byFlag(word.replace(/=.*$/s, ''));
    if (!option?.required) continue;
    given.push(option);
    const [, valueHere] = /=(.*)$/s.exec(word) ?? [];
    if (valueHere === undefined) at += 1;
    const value = valueHere ?? words[at];
    if (value?.trim() === '') command.error(`error: ${option.long} is empty.`);
    if (value === undefined || valueHere !== undefined) continue;
    const isOption = byFlag(value.replace(/=.*$/s, '')) !== undefined || value === '-h';
    if (isOption || value.startsWith('--'))
      command.error(
        `error: ${word} needs a value, and ${value} ${isOption ? 'is an option' : 'looks like an option'}. To give a value that begins with -, write ${word}=VALUE.`,
      );
  }
  return given;
}

/** Says in one sentence what the option takes. Its parser says it in words that go on after a colon. */
function explainForm(command: CommandUnknownOpts, option: Option): void {
  const { parseArg: parse } = option;
  if (!parse) return;
  option.parseArg = (written: string, before: unknown) => {
    try {
      return parse(written, before as never);
    } catch (error) {
      if (!(error instanceof InvalidArgumentError)) throw error;
      const form = error.message
        .replace(/^(?:It|Allowed)/, (word) => word.toLowerCase())
        .replace(/[.?]*$/, (end) => end || '.');
      return command.error(`error: ${option.long} cannot be ${JSON.stringify(written)}: ${form}`);
    }
  };
}

/** Whether it collects its values. */
function isList(command: CommandUnknownOpts, option: Option): boolean {
  return option.variadic || typeof command.getOptionValue(option.attributeName()) === 'object';
}
