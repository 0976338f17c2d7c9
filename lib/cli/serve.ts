import { constants } from 'node:os'
import process from 'node:process'
import * as fastify from 'fastify'
import type { FastifyInstance, FastifyServerOptions } from 'fastify'
import type { ProxyOptions } from '../../types/options.ts'
import { ConfigError, withoutSecrets } from '../errors.ts'
import { proxy } from '../plugin.ts'
import type { Address } from './arguments.ts'

/** Serves until a signal comes. Our own words go to stderr; stdout is the log's. */
export async function serve (options: ProxyOptions, { port, host }: Address): Promise<void> {
  const app = fastify.fastify({ logger: true, ...oneLinePerRequest() })
  endOnSignal(app)
  await app.register(proxy, options)
  await app.ready()
  if (app.proxy.snapshot!.routes.size === 0) throw new ConfigError([{ path: 'options', message: 'forward nothing; give `routes`, or `upstream`' }])
  const url = await listen(app, port, host)
  process.stderr.write(`sluice listens on ${url}${typeof options.upstream === 'string' ? ` and forwards to ${options.upstream}` : ''}\n`)
}

/** The access log is the gateway's own; Fastify's two lines per request would say it again. Older 5.x have the option alone, newer ones warn of it. */
function oneLinePerRequest (): FastifyServerOptions {
  const { LogController } = fastify as Partial<typeof fastify>
  return LogController === undefined ? { disableRequestLogging: true } : { logController: new LogController({ disableRequestLogging: true }) }
}

const reasons: Record<string, string> = {
  EADDRINUSE: 'another program has it; choose another with --port',
  EACCES: 'it takes more rights than this user has; choose another with --port',
  EADDRNOTAVAIL: 'this machine has no such address',
  ENOTFOUND: 'there is no such host'
}

async function listen (app: FastifyInstance, port: number, host: string): Promise<string> {
  try {
    return await app.listen({ port, host })
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException
    throw new Error(`sluice: cannot listen on port ${port} of ${withoutSecrets(host)}: ${reasons[code] ?? withoutSecrets(message)}`)
  }
}

function endOnSignal (app: FastifyInstance): void {
  let isEnding = false
  function end (signal: NodeJS.Signals): void {
    // 128 + n is how a shell tells that a signal ended it.
    if (isEnding) process.exit(128 + constants.signals[signal])
    isEnding = true
    process.stderr.write(`${signal}: sluice finishes what is under way; once more ends it at once\n`)
    // Not left to an empty event loop: a module with options may keep a timer of its own.
    app.close().then(() => process.exit(0), (error: Error) => {
      process.stderr.write(`sluice: ${error.message}\n`, () => process.exit(1))
    })
  }
  process.on('SIGINT', end)
  process.on('SIGTERM', end)
}
