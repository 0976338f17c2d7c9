import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { behaviourKeys, canarySchema, defaultsSchema, endpointSchema, fastifyRouteKeys, oneLineSchema, registrationSchema, replySchema, routeSchema, upstreamSchema } from '../../../lib/config/schema.ts'
import { healthSchema } from '../../../lib/control-plane/health/index.ts'
import { outlierSchema } from '../../../lib/control-plane/outlier/index.ts'
import { limitsSchema } from '../../../lib/data-plane/limit/index.ts'
import { backoffSchema, budgetSchema, retrySchema } from '../../../lib/data-plane/retry/index.ts'
import { poolSchema } from '../../../lib/data-plane/pool/index.ts'
import type { OptionSchema } from '../../../types/policy.ts'

interface Documented {
  /** As it is written behind `@default`; null where there is none. */
  readonly defaultText: string | null
}

/** The members of every interface of types/options.ts, by name of the interface. */
function readInterfaces (): Map<string, Map<string, Documented>> {
  const text = readFileSync(new URL('../../../../types/options.ts', import.meta.url), 'utf8')
  const interfaces = new Map<string, Map<string, Documented>>()
  for (const [, name, body] of text.matchAll(/^export interface (\w+)[^\n]*\{\n([\s\S]*?)^\}/gm)) {
    const members = new Map<string, Documented>()
    for (const [, comment, member] of body!.matchAll(/^ {2}(?:\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\n {2})?(\w+)\??:/gm)) {
      members.set(member!, { defaultText: /@default (.*?)\s*(?:\n|$)/.exec(comment ?? '')?.[1] ?? null })
    }
    interfaces.set(name!, members)
  }
  return interfaces
}

/** A value, if it is written as one; undefined where words say what the default is. */
function valueOf (text: string): unknown {
  if (/^'.*'$/.test(text)) return text.slice(1, -1)
  return /^(?:true|false|-?[\d_.]+)$/.test(text) ? JSON.parse(text.replaceAll('_', '')) : undefined
}

function propertiesOf (schema: OptionSchema): Record<string, OptionSchema> {
  return schema['properties'] as Record<string, OptionSchema>
}

function groupOf (schema: OptionSchema, ...path: string[]): OptionSchema {
  return path.reduce((group, key) => propertiesOf(group)[key]!, schema)
}

const interfaces = readInterfaces()
const behaviourSchema = { properties: Object.fromEntries(Object.entries(propertiesOf(routeSchema)).filter(([key]) => behaviourKeys.includes(key))) }
const schemas: Record<string, OptionSchema> = {
  UpstreamOptions: upstreamSchema,
  EndpointOptions: endpointSchema,
  PoolOptions: poolSchema,
  HealthOptions: healthSchema,
  OutlierOptions: outlierSchema,
  TlsOptions: groupOf(poolSchema, 'tls'),
  RouteBehaviour: behaviourSchema,
  TimeoutOptions: groupOf(routeSchema, 'timeouts'),
  LimitOptions: limitsSchema,
  RetryOptions: { properties: { ...propertiesOf(retrySchema), on: {} } },
  BudgetOptions: budgetSchema,
  BackoffOptions: backoffSchema,
  CanaryOptions: canarySchema,
  HeaderEdits: groupOf(routeSchema, 'headers', 'request')
}

for (const [name, schema] of Object.entries(schemas)) {
  test(`takes exactly the options that ${name} documents`, () => {
    assert.deepEqual(Object.keys(propertiesOf(schema)).sort(), [...interfaces.get(name)!.keys()].sort())
  })

  test(`documents the defaults of ${name} as they are`, () => {
    for (const [key, { defaultText }] of interfaces.get(name)!) {
      const property = propertiesOf(schema)[key]!
      // Groups have the empty one for a default, so that those of their members are filled in.
      const actual = typeof property['default'] === 'object' ? undefined : property['default']
      assert.deepEqual(defaultText === null ? undefined : valueOf(defaultText), actual, `${name}.${key}: @default ${defaultText}`)
    }
  })
}

test('reads the documentation of every interface that it compares', () => {
  const defaults = [...interfaces.values()].flatMap((members) => [...members.values()]).filter(({ defaultText }) => defaultText !== null)
  assert.ok(interfaces.size >= 14 && defaults.length >= 25, `${interfaces.size} interfaces, ${defaults.length} defaults`)
  assert.deepEqual([valueOf("'sluice'"), valueOf('30_000'), valueOf('0.5'), valueOf('false'), valueOf('the name of the upstream')], ['sluice', 30000, 0.5, false, undefined])
})

test('takes on a route what a route and its behaviour document, and rewritePrefix only where the prefix is known', () => {
  const route = ['url', 'method', 'upstream', ...interfaces.get('RouteBehaviour')!.keys()]
  assert.deepEqual([...interfaces.get('RouteOptions')!.keys()].sort(), ['method', 'upstream', 'url'])
  assert.deepEqual(Object.keys(propertiesOf(routeSchema)).sort(), [...route].sort())
  assert.deepEqual(Object.keys(propertiesOf(oneLineSchema)).sort(), [...route, 'rewritePrefix'].sort())
})

test('takes at the top what ProxyOptions documents, and the options of a Fastify registration', () => {
  const documented = [...interfaces.get('ProxyOptions')!.keys()]
  const oneLine = ['upstream', 'rewritePrefix']
  assert.deepEqual(Object.keys(propertiesOf(registrationSchema)).sort(), [...documented.filter((key) => !oneLine.includes(key)), 'logLevel', 'logSerializers'].sort())
})

test('takes `when` for edits of responses and not for those of requests', () => {
  assert.ok('when' in propertiesOf(groupOf(routeSchema, 'headers', 'response')))
  assert.equal('when' in propertiesOf(groupOf(routeSchema, 'headers', 'request')), false)
})

test('has no defaults in `defaults`, which would hide those of the routes', () => {
  assert.doesNotMatch(JSON.stringify(defaultsSchema), /"default":/)
  assert.deepEqual(Object.keys(propertiesOf(defaultsSchema)), behaviourKeys)
})

test('takes in reply.proxy every behaviour of a route, but for what has to be known before its route runs', () => {
  assert.deepEqual(Object.keys(propertiesOf(replySchema)), behaviourKeys.filter((key) => key !== 'websocket' && key !== 'ambiguousPaths'))
  assert.equal(replySchema['additionalProperties'], false)
})

test('names no option of ours like one of Fastify', () => {
  assert.deepEqual(fastifyRouteKeys.filter((key) => key in propertiesOf(oneLineSchema)), [])
})
