import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv'
import type { Problem } from '../../types/control.ts'
import type { OptionSchema } from '../../types/policy.ts'
import { withoutSecrets } from '../errors.ts'
import { findSocketFault, isUnixSocket, readOrigin } from '../model/origin.ts'
import { suggest } from './suggest.ts'

type Kind = 'retryClass' | 'string' | 'strings' | 'number' | 'integer' | 'integers' | 'boolean' | 'false' | 'function' | 'object' | 'regexp' | 'url' | 'origins' | 'pem' | 'pfx' | 'secret' | 'replacements'

interface KindOfValue {
  readonly is: (value: unknown) => boolean
  readonly called: string
  /** What is wrong with a value that was nearly one. */
  readonly faultOf?: (value: string) => string | null
  /** Told of without the value. */
  readonly isSecret?: true
}

const kinds: Record<Kind, KindOfValue> = {
  retryClass: {
    is: (value) => value === 'connect' || value === 'stale' || value === 'reset' || value === 'timeout' || (Number.isInteger(value) && (value as number) >= 400 && (value as number) <= 599),
    called: "'connect', 'stale', 'reset', 'timeout', or a status from 400 to 599"
  },
  string: { is: (value) => typeof value === 'string', called: 'a string' },
  strings: { is: (value) => Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === 'string'), called: 'a list of strings' },
  number: { is: (value) => typeof value === 'number' && Number.isFinite(value), called: 'a number' },
  integer: { is: (value) => Number.isSafeInteger(value), called: 'a whole number' },
  integers: { is: (value) => Array.isArray(value) && value.length > 0 && value.every((item) => Number.isSafeInteger(item)), called: 'a list of whole numbers' },
  boolean: { is: (value) => typeof value === 'boolean', called: 'true or false' },
  false: { is: (value) => value === false, called: 'false' },
  function: { is: (value) => typeof value === 'function', called: 'a function' },
  object: { is: (value) => typeof value === 'object' && value !== null && !Array.isArray(value), called: 'an object' },
  regexp: { is: (value) => value instanceof RegExp, called: 'a regular expression' },
  url: {
    is: isUrl,
    called: "an http or https URL without query, such as 'http://10.0.0.1:3000', or a Unix socket, such as 'unix:/run/app.sock'",
    faultOf: findSocketFault
  },
  origins: { is: (value) => Array.isArray(value) && value.length > 0 && value.every(isOrigin), called: "a list of origins, such as 'http://10.0.0.1:3000'" },
  pem: { is: (value) => typeof value === 'string' || Buffer.isBuffer(value) || (Array.isArray(value) && value.every((item) => typeof item === 'string' || Buffer.isBuffer(item))), called: 'PEM text or a buffer' },
  pfx: { is: (value) => typeof value === 'string' || Buffer.isBuffer(value), called: 'a buffer or a binary string' },
  // A passphrase may have been written as a number.
  secret: { is: (value) => typeof value === 'string', called: 'a string', isSecret: true },
  replacements: { is: isReplacements, called: 'a list of pairs: a text that is not empty, and a text or a function in its place' }
}

function isReplacements (value: unknown): boolean {
  return Array.isArray(value) && value.length > 0 && value.every((pair) => {
    if (!Array.isArray(pair) || pair.length !== 2 || typeof pair[0] !== 'string' || pair[0] === '') return false
    return typeof pair[1] === 'string' || typeof pair[1] === 'function'
  })
}

/** What names an endpoint: an origin, perhaps with a base path, and nothing that would be silently dropped; or a Unix socket. */
export function isUrl (value: unknown): boolean {
  if (typeof value !== 'string' || findSocketFault(value) !== null) return false
  if (isUnixSocket(value)) return true
  if (!URL.canParse(value)) return false
  const url = new URL(value)
  return (url.protocol === 'http:' || url.protocol === 'https:') && url.search === '' && url.hash === '' && url.username === '' && url.password === ''
}

/** One form of those that name the same endpoint. */
export function canonicalUrl (text: string): string {
  const { text: origin, path } = readOrigin(text)
  return origin + path.replace(/\/$/, '')
}

function isOrigin (value: unknown): boolean {
  return isUrl(value) && readOrigin(value as string).path === '/'
}

const ajv = new Ajv({ allErrors: true, verbose: true, useDefaults: true, strict: false, allowUnionTypes: true })
ajv.addKeyword({ keyword: 'kind', validate: (names: Kind[], value: unknown) => names.some((name) => kinds[name].is(value)) })
ajv.addKeyword({ keyword: 'meaning' })
ajv.addKeyword({
  keyword: 'keys',
  // Exactly one of these keys, and a string there; functions and the like are none of its business.
  validate: (names: string[], value: unknown) => {
    if (typeof value !== 'object' || value === null) return true
    const entries = Object.entries(value)
    return entries.length === 1 && names.includes(entries[0]![0]) && typeof entries[0]![1] === 'string'
  }
})

const compiled = new WeakMap<OptionSchema, ValidateFunction>()

/** Fills in the defaults of `schema` and adds everything that is wrong with `value` to `problems`, under `path`. */
export function validate (schema: OptionSchema, value: unknown, path: string, problems: Problem[]): boolean {
  let check = compiled.get(schema)
  if (check === undefined) {
    check = ajv.compile(schema)
    compiled.set(schema, check)
  }
  if (check(value)) return true
  const errors = check.errors!
  for (const error of errors) {
    // What is of the wrong kind is told once, not again for each bound that it cannot keep.
    const isRepeated = error.keyword !== 'kind' && errors.some((other) => other.keyword === 'kind' && other.instancePath === error.instancePath)
    if (!isRepeated && error.keyword !== 'propertyNames' && error.keyword !== 'if') problems.push({ path: pathOf(path, error), message: messageOf(error) })
  }
  return false
}

function pathOf (base: string, error: ErrorObject): string {
  let path = base
  for (const part of error.instancePath.split('/').slice(1)) {
    path = join(path, part.replaceAll('~1', '/').replaceAll('~0', '~'))
  }
  if (error.keyword === 'additionalProperties') return join(path, String(error.params['additionalProperty']))
  if (error.keyword === 'required') return join(path, String(error.params['missingProperty']))
  if (error.propertyName !== undefined) return join(path, error.propertyName)
  return path === '' ? 'options' : path
}

/** `routes` and `2` are `routes[2]`. */
export function join (path: string, part: string): string {
  if (/^\d+$/.test(part)) return `${path}[${part}]`
  if (!/^[\w$]+$/.test(part)) return `${path}[${JSON.stringify(withoutSecrets(part))}]`
  return path === '' ? part : `${path}.${part}`
}

function messageOf (error: ErrorObject): string {
  const schema = error.parentSchema as OptionSchema
  switch (error.keyword) {
    case 'additionalProperties':
      return unknownKey(String(error.params['additionalProperty']), Object.keys(schema['properties'] ?? {}))
    case 'required':
      return 'is required'
    case 'kind':
      return kindMessage(error.schema as Kind[], error.data)
    case 'type':
      return `must be ${schema['type'] === 'array' ? 'an array' : 'an object'}, not ${show(error.data)}`
    case 'enum':
      return `must be one of ${(error.schema as unknown[]).map(show).join(', ')}, not ${show(error.data)}${meant(error.data, error.schema as unknown[])}`
    case 'pattern':
      return `must be ${String(schema['meaning'])}, not ${show(error.data)}`
    case 'keys':
      return `must be a function or an object with one string key of ${(error.schema as string[]).join(', ')}`
    case 'minItems':
      return 'must not be empty'
    case 'minLength':
      return 'must not be empty'
    default:
      // minimum, maximum and their kind: Ajv's own words are plain enough.
      return `${error.message}, not ${show(error.data)}`
  }
}

function kindMessage (names: readonly Kind[], value: unknown): string {
  const expected = `must be ${names.map((name) => kinds[name].called).join(' or ')}`
  if (names.some((name) => kinds[name].isSecret === true)) return expected
  const fault = typeof value === 'string' ? names.map((name) => kinds[name].faultOf?.(value)).find((found) => found !== undefined && found !== null) : undefined
  return `${expected}, not ${show(value)}${fault === undefined ? '' : `; ${fault}`}`
}

export function unknownKey (key: string, known: readonly string[]): string {
  const guess = suggest(key, known)
  return guess === null ? 'is not an option' : `is not an option; did you mean '${withoutSecrets(guess)}'?`
}

function meant (value: unknown, candidates: readonly unknown[]): string {
  if (typeof value !== 'string') return ''
  const guess = suggest(value, candidates.filter((candidate) => typeof candidate === 'string'))
  return guess === null ? '' : `; did you mean '${withoutSecrets(guess)}'?`
}

function show (value: unknown): string {
  if (typeof value === 'function') return 'a function'
  if (typeof value === 'string') return `'${withoutSecrets(value)}'`
  if (value instanceof RegExp) return String(value)
  if (Array.isArray(value)) return value.length === 0 ? 'an empty array' : 'an array'
  if (typeof value === 'object' && value !== null) return 'an object'
  return String(value)
}
