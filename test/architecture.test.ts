import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import test from 'node:test'
import { fileURLToPath } from 'node:url'
import { join, posix } from 'node:path'
import { canarySchema, endpointSchema, routeSchema, upstreamSchema } from '../lib/config/schema.ts'
import { healthSchema } from '../lib/control-plane/health/index.ts'
import { outlierSchema } from '../lib/control-plane/outlier/index.ts'
import { balancers } from '../lib/data-plane/balancer/index.ts'
import { breakerSchema } from '../lib/data-plane/breaker/index.ts'
import { limitsSchema } from '../lib/data-plane/limit/index.ts'
import { poolSchema } from '../lib/data-plane/pool/index.ts'
import { backoffSchema, budgetSchema, retrySchema } from '../lib/data-plane/retry/index.ts'
import type { OptionSchema } from '../types/policy.ts'

/*
 * The rules of docs/architecture.md, held against the sources. From dist/test, where this runs, to the root.
 */
const root = fileURLToPath(new URL('../../', import.meta.url))

interface Import {
  /** From the root: `lib/errors.ts`, or the name of a package. */
  from: string
  isType: boolean
}

interface Source {
  /** From the root, with slashes. */
  path: string
  text: string
  imports: Import[]
}

function read (folder: string): Source[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .map((name) => posix.join(folder, name.replaceAll('\\', '/')))
    .filter((path) => path.endsWith('.ts'))
    .sort()
    .map((path) => {
      const text = readFileSync(join(root, path), 'utf8')
      return { path, text, imports: importsOf(path, text) }
    })
}

function importsOf (path: string, text: string): Import[] {
  const found: Import[] = []
  for (const [, what = '', specifier] of text.matchAll(/^(?:import|export)\b(?:([^'"=;]*?)\bfrom)? '([^']+)'$/gm)) {
    const from = specifier!.startsWith('.') ? posix.join(posix.dirname(path), specifier!) : specifier!
    // `import type …`, `export type …`, or braces in which every name is a type.
    const names = /^\s*\{([^}]*)\}\s*$/.exec(what)?.[1]?.split(',').map((name) => name.trim()).filter((name) => name !== '') ?? []
    const isType = what.trimStart().startsWith('type ') || (names.length > 0 && names.every((name) => name.startsWith('type ')))
    found.push({ from, isType })
  }
  return found
}

const types = read('types')
const lib = read('lib')

/** What may import what of ours, by how a path begins; the first entry that fits a file is its own. */
const rules: { of: string, may: string[], mayTypes?: string[] }[] = [
  { of: 'types/', may: ['types/'] },
  { of: 'lib/errors.ts', may: ['types/'] },
  { of: 'lib/version.ts', may: [] },
  { of: 'lib/model/', may: ['types/', 'lib/model/', 'lib/errors.ts'] },
  { of: 'lib/observe/', may: ['types/', 'lib/model/', 'lib/errors.ts', 'lib/observe/', 'lib/version.ts'] },
  { of: 'lib/data-plane/transform/index.ts', may: ['types/', 'lib/data-plane/transform/'], mayTypes: ['lib/config/normalize.ts'] },
  { of: 'lib/data-plane/', may: ['types/', 'lib/model/', 'lib/errors.ts', 'lib/data-plane/', 'lib/observe/events.ts'] },
  {
    of: 'lib/config/',
    may: [
      'types/', 'lib/model/', 'lib/errors.ts', 'lib/config/',
      'lib/control-plane/health/index.ts', 'lib/control-plane/outlier/index.ts',
      'lib/data-plane/balancer/index.ts', 'lib/data-plane/pool/index.ts', 'lib/data-plane/retry/index.ts', 'lib/data-plane/limit/index.ts', 'lib/data-plane/breaker/index.ts', 'lib/data-plane/limit/seats.ts', 'lib/data-plane/transform/index.ts',
      'lib/data-plane/rewrite/index.ts',
      'lib/data-plane/route-path.ts', 'lib/data-plane/cookie.ts'
    ],
    mayTypes: ['lib/data-plane/transform/location.ts']
  },
  { of: 'lib/control-plane/', may: ['types/', 'lib/model/', 'lib/errors.ts', 'lib/observe/events.ts', 'lib/control-plane/'] },
  { of: 'lib/ad-hoc-upstreams.ts', may: ['types/', 'lib/model/'] },
  { of: 'lib/reply-routes.ts', may: ['types/', 'lib/ad-hoc-upstreams.ts', 'lib/config/', 'lib/data-plane/', 'lib/errors.ts'] },
  { of: 'lib/gateway.ts', may: ['types/', 'lib/ad-hoc-upstreams.ts', 'lib/reply-routes.ts', 'lib/config/', 'lib/control-plane/', 'lib/data-plane/', 'lib/model/', 'lib/errors.ts'] },
  { of: 'lib/readiness.ts', may: [] },
  { of: 'lib/plugin.ts', may: ['types/', 'lib/gateway.ts', 'lib/readiness.ts', 'lib/data-plane/', 'lib/observe/', 'lib/errors.ts', 'lib/version.ts'] },
  { of: 'lib/cli', may: ['types/', 'lib/cli/', 'lib/plugin.ts', 'lib/config/validate.ts', 'lib/errors.ts', 'lib/version.ts'] },
  { of: 'lib/index.ts', may: ['types/', 'lib/plugin.ts', 'lib/errors.ts', 'lib/observe/metrics/gather.ts'] }
]

for (const rule of rules) {
  test(`${rule.of} imports ${rule.may.length === 0 ? 'nothing of ours' : `nothing of ours but ${rule.may.join(', ')}`}`, () => {
    const files = [...types, ...lib].filter(({ path }) => rules.find(({ of }) => path.startsWith(of)) === rule)
    assert.ok(files.length > 0, 'there is no such file any more: the rule can go')
    const broken = files.flatMap(({ path, imports }) => imports
      .filter(({ from }) => from.startsWith('lib/') || from.startsWith('types/'))
      .filter(({ from, isType }) => ![...rule.may, ...(isType ? rule.mayTypes ?? [] : [])].some((allowed) => from.startsWith(allowed)))
      .map(({ from }) => `${path} → ${from}`))
    assert.deepEqual(broken, [])
  })
}

test('every file is under one of these rules', () => {
  assert.deepEqual([...types, ...lib].filter(({ path }) => !rules.some(({ of }) => path.startsWith(of))).map(({ path }) => path), [])
})

test('what is imported is there: the rules read import lines as they are written', () => {
  const all = [...types, ...lib]
  const imports = all.flatMap(({ path, imports }) => imports.map(({ from }) => ({ path, from }))).filter(({ from }) => /^(lib|types)\//.test(from))
  assert.deepEqual(imports.filter(({ from }) => !existsSync(join(root, from))), [])
  // As many as there are lines that name a file.
  assert.equal(imports.length, all.reduce((sum, { text }) => sum + [...text.matchAll(/'\.{1,2}\/[^']+\.ts'/g)].length, 0))
})

test('no module depends on itself by way of others', () => {
  const byPath = new Map(lib.map((source) => [source.path, source]))
  const done = new Set<string>()
  const cycles: string[] = []
  function visit (path: string, way: string[]): void {
    if (way.includes(path)) cycles.push([...way.slice(way.indexOf(path)), path].join(' → '))
    if (way.includes(path) || done.has(path)) return
    for (const { from, isType } of byPath.get(path)?.imports ?? []) {
      if (!isType) visit(from, [...way, path])
    }
    done.add(path)
  }
  for (const { path } of lib) visit(path, [])

  assert.deepEqual(cycles, [])
})

/** Packages that are known in one place only; their types may be named elsewhere. */
const known: Record<string, string> = {
  '@fastify/reply-from': 'lib/data-plane/reply-from.ts',
  '@opentelemetry/api': 'lib/observe/tracing.ts',
  '@fastify/error': 'lib/errors.ts',
  'fastify-plugin': 'lib/plugin.ts',
  'find-my-way': 'lib/data-plane/route-lookup.ts',
  ajv: 'lib/config/validate.ts',
  undici: 'lib/data-plane/pool/'
}

for (const [name, place] of Object.entries(known)) {
  test(`${name} is used in ${place} alone`, () => {
    const users = lib.filter(({ imports }) => imports.some(({ from, isType }) => from === name && !isType)).map(({ path }) => path)
    assert.ok(users.length > 0)
    assert.deepEqual(users.filter((path) => !path.startsWith(place)), [])
  })
}

test('every package that is imported is a dependency, and every dependency is imported', () => {
  const { dependencies, peerDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Record<string, Record<string, string>>
  const imported = new Set([...types, ...lib].flatMap(({ imports }) => imports.map(({ from }) => from)).filter((from) => !/^(lib|types|node:)/.test(from)))

  assert.deepEqual([...imported].sort(), Object.keys({ ...dependencies, ...peerDependencies }).sort())
})

test('a bundler sees everything that lib loads', () => {
  // Of these it finds nothing, or something that is not there once all is one file. The program loads what its user names.
  const hidden = /\bimport\.meta\b|\bcreateRequire\b|\brequire(\.resolve)?\s*\(|\bprocess\.binding\b|\b__(dir|file)name\b|\breadFile(Sync)?\s*\(|\bimport\s*\((?!\s*')/
  const code = (text: string): string => text.replaceAll(/^\s*(\/\/|\/?\*).*$/gm, '')
  assert.deepEqual(lib.filter(({ path, text }) => hidden.test(code(text)) && !path.startsWith('lib/cli')).map(({ path }) => path), [])
})

// docs/architecture.md, Vocabulary.
const forbidden = new Set([
  'cluster', 'backend', 'server', 'host', 'target', 'peer', 'node', 'service', 'destination', 'middleware', 'filter', 'interceptor', 'handler',
  'context', 'manager', 'helper', 'helpers', 'util', 'utils'
])
/** Words of others for what is theirs: the Host header, W3C's trace context, RFC 9112's request target, the peer of a connection. */
const theirs = new Set(['host.ts', 'SetHost', 'trace-context.ts', 'TraceContext', 'Target', 'parseTarget'])

test('names of files and exports are in the words of the vocabulary', () => {
  const names = [...types, ...lib].flatMap(({ path, text }) => [
    ...path.split('/').slice(1),
    ...Array.from(text.matchAll(/^export (?:default )?(?:async )?(?:abstract )?(?:const|let|function|class|interface|type|enum) (\w+)/gm), ([, name]) => name!)
  ])
  const wrong = names.filter((name) => !theirs.has(name) && name.replace(/\.ts$/, '').split(/[-_]|(?<=[a-z0-9])(?=[A-Z])/).some((word) => forbidden.has(word.toLowerCase())))

  assert.deepEqual(wrong, [])
  assert.deepEqual([...theirs].filter((name) => !names.includes(name)), [], 'exceptions that nobody needs')
})

const page = readFileSync(join(root, 'docs/architecture.md'), 'utf8')

/** The files of a layout that is drawn as a tree: folders end in a slash, names stand side by side, two spaces between them and what they are. */
function drawn (tree: string): string[] {
  const folders: string[] = []
  return tree.split('\n').filter((line) => line.trim() !== '').flatMap((line) => {
    const depth = /^ */.exec(line)![0].length / 2
    if (/^ *[\w-]+\//.test(line)) {
      folders.splice(depth, Infinity, line.trim().split(' ')[0]!)
      return []
    }
    return [...line.matchAll(/(?<=^ *|\.ts {2})[\w-]+\.ts(?= {2}|$)/g)].map(([name]) => folders.slice(0, depth).join('') + name)
  })
}

test('the layout of docs/architecture.md has every file of lib and types in its folder, once, and no other', () => {
  const [, tree = ''] = /## Layout\n+```\n(.*?)```/s.exec(page)!
  const named = drawn(tree).filter((path) => /^(lib|types)\//.test(path))

  assert.deepEqual(named.sort(), [...types, ...lib].map(({ path }) => path).sort())
})

const tests = read('test').filter(({ path }) => path.endsWith('.test.ts'))

for (const name of balancers.keys()) {
  test(`the balancer ${name} has a file of its own, and a test that names it`, () => {
    assert.ok(existsSync(join(root, `lib/data-plane/balancer/${name}.ts`)))
    assert.ok(tests.some(({ path, text }) => path.endsWith(`/balancer/${name}.test.ts`) || new RegExp(`test\\([\`'][^\`'\\n]*\\b${name}\\b`).test(text)))
  })
}

/** What the unit tests of a module are called: after it, or after it and a part of it. */
function isTestOf (test: string, path: string): boolean {
  const name = path.replace(/\.ts$/, '')
  return test === `test/${name}.test.ts` || (test.startsWith(`test/${name}-`) && !test.slice(`test/${name}-`.length).includes('/'))
}

test('every unit test is of a module that is there', () => {
  const units = tests.map(({ path }) => path).filter((path) => path.startsWith('test/lib/'))
  assert.deepEqual(units.filter((unit) => !lib.some(({ path }) => isTestOf(unit, path))), [])
})

// The rest of lib is what only sockets can show: test/behaviour.
for (const folder of ['lib/config/', 'lib/model/', 'lib/errors.ts', 'lib/version.ts']) {
  test(`every module of ${folder} has unit tests`, () => {
    const modules = lib.map(({ path }) => path).filter((path) => path.startsWith(folder))
    assert.ok(modules.length > 0)
    assert.deepEqual(modules.filter((path) => !tests.some((unit) => isTestOf(unit.path, path))), [])
  })
}

const option = propertiesOf('types/options.ts')

/** Each property of each interface of a file, with the `@default` of its comment. */
function propertiesOf (path: string): Map<string, Map<string, string | null>> {
  const result = new Map<string, Map<string, string | null>>()
  const { text } = types.find((source) => source.path === path)!
  for (const [, name, body] of text.matchAll(/^export interface (\w+)[^{\n]*\{\n(.*?)^\}/gms)) {
    const properties = new Map<string, string | null>()
    for (const [, comment = '', property] of body!.matchAll(/((?:^ {2}\/?\*.*\n|^ {3}\*.*\n)*)^ {2}(\w+)\??:/gm)) {
      properties.set(property!, /@default (.*)/.exec(comment)?.[1]?.trim() ?? null)
    }
    result.set(name!, properties)
  }
  return result
}

const properties = (schema: OptionSchema): Record<string, OptionSchema> => schema['properties'] as Record<string, OptionSchema>

/** Which schema checks what a type promises; keys that Fastify or the one-line form brings are left out. */
const checked: Record<string, OptionSchema> = {
  UpstreamOptions: upstreamSchema,
  EndpointOptions: endpointSchema,
  PoolOptions: poolSchema,
  HealthOptions: healthSchema,
  OutlierOptions: outlierSchema,
  TlsOptions: properties(poolSchema)['tls']!,
  LimitOptions: limitsSchema,
  BreakerOptions: breakerSchema,
  RetryOptions: retrySchema,
  BudgetOptions: budgetSchema,
  BackoffOptions: backoffSchema,
  CanaryOptions: canarySchema,
  WebSocketOptions: properties(routeSchema)['websocket']!,
  TimeoutOptions: properties(routeSchema)['timeouts']!,
  BodyOptions: properties(routeSchema)['body']!,
  CookieOptions: properties(routeSchema)['cookies']!,
  BodyRewriteOptions: properties(properties(routeSchema)['body']!)['rewrite']!,
  HeaderEdits: properties(properties(routeSchema)['headers']!)['request']!
}

for (const [name, schema] of Object.entries({ ...checked, RouteBehaviour: behaviourOf(routeSchema) })) {
  test(`${name} has the keys that its schema takes`, () => {
    assert.deepEqual([...option.get(name)!.keys()].sort(), Object.keys(properties(schema)).sort())
  })

  test(`every default of ${name} stands in its comment, and is the one that is meant`, () => {
    const defaults = Object.entries(properties(schema)).filter(([, { default: value }]) => value !== undefined && typeof value !== 'object')
    const documented = [...option.get(name)!].filter(([key]) => defaults.some(([other]) => other === key)).map(([key, text]) => [key, text])

    assert.deepEqual(Object.fromEntries(documented), Object.fromEntries(defaults.map(([key, { default: value }]) => [key, typeof value === 'string' ? `'${value}'` : String(value)])))
  })
}

function behaviourOf (schema: OptionSchema): OptionSchema {
  const { url, method, upstream, rewritePrefix, ...behaviour } = properties(schema)
  return { properties: behaviour }
}
