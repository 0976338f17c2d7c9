import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import { fileURLToPath } from 'node:url'
import { connect } from '../helpers/client.ts'
import { answer, cutBody, hang, origin, refusedPort } from '../helpers/origin.ts'
import { isAccessLine, start } from '../helpers/proxy.ts'
import { tunnel } from '../helpers/websocket.ts'

/*
 * docs/access-log.md is what people build searches and dashboards on. Its table is read here, and real lines are held against it.
 */

type Kind = 'every line' | 'traced' | 'tunnels' | 'failures'

interface Field { name: string, types: string[], kind: Kind }

const page = readFileSync(fileURLToPath(new URL('../../../docs/access-log.md', import.meta.url)), 'utf8')
const fields: Field[] = Array.from(page.matchAll(/^\| `([\w.]+)` \| ([\w ]+) \| ([\w ]+) \|/gm), ([, name, types, kind]) => ({
  name: name!,
  types: types!.split(' or '),
  kind: kind as Kind
}))

/** Of the logger, not of ours. */
const others = new Set(['level', 'time', 'pid', 'hostname', 'reqId', 'msg'])

function flat (line: object): Map<string, string> {
  const found = new Map<string, string>()
  for (const [name, value] of Object.entries(line)) {
    if (others.has(name)) continue
    found.set(name, value === null ? 'null' : typeof value)
    if (name !== 'durations') continue
    for (const [part, number] of Object.entries(value as object)) found.set(`durations.${part}`, typeof number)
  }
  return found
}

function hold (line: object, kinds: readonly Kind[]): void {
  const found = flat(line)
  const expected = fields.filter(({ kind }) => kinds.includes(kind))
  assert.deepEqual([...found.keys()].sort(), expected.map(({ name }) => name).sort())
  for (const { name, types } of expected) assert.ok(types.includes(found.get(name)!), `${name} is ${found.get(name)}`)
}

test('the documented table is there to be held against', () => {
  assert.ok(fields.length > 25, `${fields.length} fields`)
  assert.ok(fields.every(({ kind }) => ['every line', 'traced', 'tunnels', 'failures'].includes(kind)))
})

test('the line of an exchange that went well has exactly the documented fields, traced or not', async (t) => {
  const upstream = await origin(t, answer(200, 'ok'))
  const app = await start(t, { routes: [{ url: '/a', upstream: upstream.url }, { url: '/b', upstream: upstream.url, trace: false }] })

  await app.get('/a?x=1')
  hold(await app.line(isAccessLine), ['every line', 'traced'])
  await app.get('/b')
  hold(await app.line(isAccessLine), ['every line'])
})

test('the line of a refused request has them too', async (t) => {
  const app = await start(t, { upstream: 'http://127.0.0.1:9', preHandler: async (_request, reply) => reply.code(401).send('no') })

  await app.get('/x')

  hold(await app.line(isAccessLine), ['every line', 'traced'])
})

test('the line of a failure has the rest, whether the upstream, the body or the client failed', async (t) => {
  const upstream = await origin(t, cutBody(100, 10), hang())
  const port = await refusedPort()
  const app = await start(t, { routes: [{ url: '/up', upstream: upstream.url }, { url: '/down', upstream: `http://127.0.0.1:${port}` }] })

  await app.get('/up')
  hold(await app.line(isAccessLine), ['every line', 'traced', 'failures'])
  await app.get('/down')
  hold(await app.line(isAccessLine), ['every line', 'traced', 'failures'])
  const client = await connect(t, app.port)
  client.write('GET /up HTTP/1.1\r\nHost: x\r\n\r\n')
  await upstream.arrived(2)
  client.reset()
  hold(await app.line(isAccessLine), ['every line', 'traced', 'failures'])
})

test('the line of a tunnel says who ended it, and how long it was open', async (t) => {
  const well = await tunnel(t)
  well.client.end()
  well.upstream.socket.end()
  hold(await well.proxy.line(isAccessLine), ['every line', 'traced', 'tunnels'])

  const broken = await tunnel(t)
  broken.upstream.socket.resetAndDestroy()
  hold(await broken.proxy.line(isAccessLine), ['every line', 'traced', 'tunnels', 'failures'])
})

test('the example of the documentation is such a line', () => {
  const example = JSON.parse(/```json\n(.*)\n```/.exec(page)![1]!) as object
  hold(example, ['every line', 'traced'])
})
