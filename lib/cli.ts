#!/usr/bin/env node
import process from 'node:process'
import { parseArguments, usage } from './cli/arguments.ts'
import { loadOptions } from './cli/options-file.ts'
import { serve } from './cli/serve.ts'
import { version } from './version.ts'

async function main (args: readonly string[]): Promise<void> {
  const command = parseArguments(args)
  switch (command.name) {
    case 'help':
      process.stdout.write(usage)
      break
    case 'version':
      process.stdout.write(`${version}\n`)
      break
    case 'serve':
      await serve('to' in command ? { upstream: command.to } : await loadOptions(command.config), command)
  }
}

main(process.argv.slice(2)).catch((error: Error) => {
  // No stack: what goes wrong before the first request is the options' fault, or the system's. On Windows a pipe is written to later.
  process.stderr.write(`${error.message}\n`, () => process.exit(1))
})
