// Options that take a value: one whose value is another option, and one that is given twice. Commander takes the next word as the value,
// whatever it is, and keeps the last of two values.

import type { CommandUnknownOpts, Option } from '@commander-js/extra-typings';

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
    if (word.includes('=')) continue;
    at += 1;
    const value = words[at] ?? '';
    const isOption = byFlag(value.replace(/=.*$/s, '')) !== undefined || value === '-h';
    if (isOption || value.startsWith('--'))
      command.error(
        `error: ${word} needs a value, and ${value} ${isOption ? 'is an option' : 'looks like an option'}. To give a value that begins with -, write ${word}=VALUE.`,
      );
  }
  return given;
}

/** Whether it collects its values. */
function isList(command: CommandUnknownOpts, option: Option): boolean {
  return option.variadic || typeof command.getOptionValue(option.attributeName()) === 'object';
}
