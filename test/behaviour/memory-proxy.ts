/*
 * A proxy in a process of its own, for tests that watch its memory: `fork`ed with its options as JSON. It tells its port; then each
 * message begins a measurement, asks how much is held or what is left, or ends it and asks how much larger the process has been.
 */
import type { AddressInfo } from 'node:net'
import process from 'node:process'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import Fastify from 'fastify'
import proxy from '../../lib/index.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

const app = Fastify()
await app.register(proxy, JSON.parse(process.argv[2]!))
await app.listen({ port: 0, host: '127.0.0.1' })

/** Bytes that somebody still refers to, in the heap and outside of it. */
async function held (): Promise<number> {
  // What the first one finds to be garbage may be freed by others, later.
  for (let n = 0; n < 3; n++) {
    collectGarbage()
    await new Promise(setImmediate)
  }
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

const warnings: string[] = []
process.on('warning', (warning) => { warnings.push(String(warning)) })

let heldBefore = 0
let rssBefore = 0
let most = 0
let timer: NodeJS.Timeout | undefined

function look (): void {
  most = Math.max(most, process.memoryUsage.rss())
}

const answers = {
  async begin (): Promise<number> {
    heldBefore = await held()
    rssBefore = most = process.memoryUsage.rss()
    timer = setInterval(look, 5)
    return 0
  },
  /** As `begin`, but from as large as it has been: for what leaves garbage, however little of it is kept. */
  async peak (): Promise<number> {
    await answers.begin()
    rssBefore = most = process.resourceUsage().maxRSS * 1024
    return 0
  },
  held: async () => await held() - heldBefore,
  /** What keeps the process, or is kept by it. */
  left (): object {
    const { snapshot } = app.proxy
    const resources = process.getActiveResourcesInfo().filter((name) => name !== 'PipeWrap')
    const listeners = app.server.eventNames().map((name) => `${String(name)} ${app.server.listenerCount(name)}`)
    const active = [...snapshot!.upstreams.values()].flatMap(({ state }) => state.endpoints.map((endpoint) => endpoint.active))
    return { resources, listeners, active, warnings }
  },
  async end (): Promise<number> {
    look()
    clearInterval(timer)
    return most - rssBefore
  }
}

process.on('message', async (question: keyof typeof answers) => { process.send!(await answers[question]()) })
process.once('disconnect', () => process.exit())
process.send!((app.server.address() as AddressInfo).port)
