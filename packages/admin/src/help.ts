import { COMMON_OPTIONS, everyCommand, optionsOf } from './arguments.ts';
import type { Command, Option } from './commands.ts';
import { aligned } from './table.ts';

type Any = (typeof everyCommand)[number];

const usageOf = (command: Any): string => {
  const args: Command['args'] = command.args;
  return [...command.words, ...args.map(({ name, isOptional }) => (isOptional ? `[${name}]` : name))].join(' ');
};

export function overview(): string {
  return `Usage: npm run admin -- COMMAND [options]

Commands
${aligned(everyCommand.map((command) => [`  ${usageOf(command)}`, command.summary]))}

Options of all
${optionLines(COMMON_OPTIONS)}

ACCOUNT is an id, a user name or an e-mail address. Answers come as tables, or with --json as the API gives them
(\`npm run --silent admin -- ... --json\` keeps npm's own lines away).

Who asks: COFFER_ADMIN_TOKEN (an access token, or an API key as id.secret), else the session of \`login\`, else
ADMIN_USERNAME and ADMIN_PASSWORD, else the password is asked for at the terminal.

Exit codes: 0 done; 1 refused, or a check found something; 2 the command line is wrong; 3 no answer.`;
}

export function helpFor(command: Any): string {
  const own = optionsOf(command);
  return `Usage: npm run admin -- ${usageOf(command)} [options]

${command.summary}.

${optionLines({ ...own, ...COMMON_OPTIONS })}`;
}

function optionLines(options: Readonly<Record<string, Option>>): string {
  const rows = Object.entries(options).map(([name, { value, help }]) => [
    `  --${name}${value === undefined ? '' : ` ${value}`}`,
    help,
  ]);
  return aligned(rows);
}
