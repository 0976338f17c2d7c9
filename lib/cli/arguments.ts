import { parseArgs } from 'node:util'
import type { Problem } from '../../types/control.ts'
import { isUrl, unknownKey } from '../config/validate.ts'
import { ConfigError, withoutSecrets } from '../errors.ts'

/** Where to listen. */
export interface Address {
  readonly port: number
  readonly host: string
}

export type Command =
  | { readonly name: 'help' | 'version' }
  | { readonly name: 'serve', readonly to: string } & Address
  | { readonly name: 'serve', readonly config: string } & Address

export const usage = `Usage: sluice --to URL [--port 3000] [--host 127.0.0.1]
       sluice --config FILE [--port 3000] [--host 127.0.0.1]

  --to URL       forwards everything to this http or https URL, or to a Unix socket (unix:/run/app.sock)
  --config FILE  takes the options of fastify-sluice from a JSON file, or from the default export of a module
  --port PORT    listens on this port; 0 takes a free one (default 3000)
  --host HOST    listens on this address; 0.0.0.0 for all (default 127.0.0.1)
  -h, --help     prints this
  -v, --version  prints the version

The log goes to stdout, one line of JSON per request. SIGINT or SIGTERM finishes what is under way and ends; a second one ends at once.
`

const flags = {
  to: { type: 'string' },
  config: { type: 'string' },
  port: { type: 'string' },
  host: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'v' }
} as const

/** @throws ConfigError with everything that is wrong with the command line */
export function parseArguments (args: readonly string[]): Command {
  const problems: Problem[] = []
  const given = readFlags(args, problems)
  if (given.has('help')) return { name: 'help' }
  if (given.has('version')) return { name: 'version' }

  const to = given.get('to')
  const config = given.get('config')
  const port = given.get('port') ?? '3000'
  const host = given.get('host') ?? '127.0.0.1'
  if (to !== undefined && config !== undefined) problems.push({ path: '--to', message: 'cannot be given with --config' })
  if (to !== undefined && !isUrl(to)) {
    const wanted = "must be an http or https URL without query, such as 'http://localhost:8080', or a Unix socket, such as 'unix:/run/app.sock'"
    problems.push({ path: '--to', message: `${wanted}, not '${withoutSecrets(to)}'` })
  }
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) problems.push({ path: '--port', message: `must be a number from 0 to 65535, not '${withoutSecrets(port)}'` })
  // Last, so that it is not said of a flag that was misspelt.
  if (to === undefined && config === undefined && problems.length === 0) problems.push({ path: '--to', message: 'is required, unless --config is given; see sluice --help' })
  if (problems.length > 0) throw new ConfigError(problems)

  const address = { port: Number(port), host }
  return config === undefined ? { name: 'serve', to: to!, ...address } : { name: 'serve', config, ...address }
}

/** Not left to parseArgs' own strictness, which stops at the first fault. */
function readFlags (args: readonly string[], problems: Problem[]): Map<string, string> {
  const given = new Map<string, string>()
  const { tokens } = parseArgs({ args: [...args], options: flags, strict: false, tokens: true })
  for (const token of tokens) {
    if (token.kind === 'option-terminator') continue
    if (token.kind === 'positional') {
      problems.push({ path: withoutSecrets(token.value), message: 'belongs to no option' })
      continue
    }
    const { name, rawName, value } = token
    const flag = Object.hasOwn(flags, name) ? flags[name as keyof typeof flags] : null
    // A value that looks like a flag is one, and the value is missing.
    const hasValue = value !== undefined && value !== '' && (token.inlineValue || !value.startsWith('-'))
    if (flag === null) problems.push({ path: withoutSecrets(rawName), message: unknownKey(rawName, Object.keys(flags).map((known) => `--${known}`)) })
    else if (given.has(name)) problems.push({ path: rawName, message: 'is given twice' })
    else if (flag.type === 'boolean' && value !== undefined) problems.push({ path: rawName, message: 'takes no value' })
    else if (flag.type === 'string' && !hasValue) problems.push({ path: rawName, message: 'needs a value' })
    else given.set(name, value ?? '')
  }
  return given
}
