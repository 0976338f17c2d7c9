import type { AddressInfo, Socket } from 'node:net'
import type { TestContext } from 'node:test'
import Fastify, { LogController, type FastifyInstance, type FastifyServerOptions } from 'fastify'
import proxy from '../../lib/index.ts'
import type { ProxyOptions } from '../../types/index.ts'
import { request, type RequestInit, type Response } from './client.ts'
import { Bell, later, patience } from './until.ts'

/** One parsed line of the log. */
export interface LogLine {
  level: number
  time: number
  msg?: string
  [field: string]: any
}

export interface Extra {
  /** Overrides what the app is made with, `https` too. */
  fastify?: FastifyServerOptions & { https?: object }
  /** Before the plugin is registered: auth plugins, hooks, parsers. */
  before?: (app: FastifyInstance) => void | Promise<void>
  /** After it: routes of the test, `app.proxy.route(…)`. */
  after?: (app: FastifyInstance) => void | Promise<void>
}

export interface Started {
  app: FastifyInstance
  url: string
  port: number
  /** Everything logged so far, debug and above. */
  logs: LogLine[]
  /**
   * The next line that matches, of those after the one that the last call returned: what was logged before the call counts.
   * A string asks for a msg; without an argument it is the access line.
   */
  line (matches?: string | ((line: LogLine) => boolean)): Promise<LogLine>
  get (path: string, headers?: RequestInit['headers']): Promise<Response>
  request (path: string, init?: RequestInit): Promise<Response>
}

/** As lib/observe/access-log.ts words it. */
export function isAccessLine (line: LogLine): boolean {
  return line.msg === 'proxied'
}

/** A Fastify app with the plugin on a port of 127.0.0.1, closed after the test. Rejects as `app.ready()` does. */
export async function start (t: TestContext, options: ProxyOptions, extra: Extra = {}): Promise<Started> {
  if (options.upstream === undefined && options.routes === undefined) {
    throw new Error('start() needs options.upstream or options.routes: without them nothing is proxied')
  }

  const logs: LogLine[] = []
  const bell = new Bell()
  const stream = {
    write (text: string): void {
      logs.push(JSON.parse(text))
      bell.ring()
    }
  }
  // The logger and https options give the instance types of their own, which matter to no test.
  const app = Fastify({
    logger: { level: 'debug', stream },
    // What the option disableRequestLogging did before it was deprecated: the access line is to be the only one.
    logController: new LogController({ disableRequestLogging: true }),
    ...extra.fastify
  } as FastifyServerOptions) as FastifyInstance
  const sockets = new Set<Socket>()
  app.server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  t.after(() => close(app, sockets))

  await extra.before?.(app)
  await app.register(proxy, options)
  await extra.after?.(app)
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as AddressInfo
  const url = `${extra.fastify?.https === undefined ? 'http' : 'https'}://127.0.0.1:${port}`

  let seen = 0
  return {
    app,
    url,
    port,
    logs,
    line (matches = isAccessLine) {
      const isIt = typeof matches === 'string' ? (line: LogLine) => line.msg === matches : matches
      return bell.until(() => `a log line ${matches}, got ${JSON.stringify(logs.slice(seen))}`, () => {
        const index = logs.findIndex((line, i) => i >= seen && isIt(line))
        if (index < 0) return null
        seen = index + 1
        return logs[index]
      })
    },
    get: (path, headers = {}) => request(url + path, { headers }),
    request: (path, init) => request(url + path, init)
  }
}

// Fastify waits for what is in flight, and a test may have left a request that never ends: its client goes now. Tests of a close
// that lets exchanges finish call app.close() themselves.
async function close (app: FastifyInstance, sockets: Set<Socket>): Promise<void> {
  let cancel = () => {}
  const late = new Promise<never>((_resolve, reject) => {
    cancel = later(() => reject(new Error(`app.close() took more than ${patience} ms with no client left`)), patience)
  })
  const closing = app.close()
  for (const socket of sockets) socket.destroy()
  try {
    await Promise.race([closing, late])
  } finally {
    cancel()
  }
}
