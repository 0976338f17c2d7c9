import type { OptionSchema } from '../../types/policy.ts'
import { healthSchema } from '../control-plane/health/index.ts'
import { outlierSchema } from '../control-plane/outlier/index.ts'
import { balancers } from '../data-plane/balancer/index.ts'
import { rewriteSchema } from '../data-plane/rewrite/index.ts'
import { breakerSchema } from '../data-plane/breaker/index.ts'
import { limitsSchema } from '../data-plane/limit/index.ts'
import { poolSchema } from '../data-plane/pool/index.ts'
import { retrySchema } from '../data-plane/retry/index.ts'

/*
 * What may be written where, and the defaults: each stands here, or in the schema of the room that owns it, and nowhere
 * else. `kind` is our own keyword (see validate.ts): it names what JSON Schema cannot, a function or a regular expression.
 */

const milliseconds = { kind: ['integer'], minimum: 0, maximum: 2 ** 31 - 1 }
const bytes = { kind: ['integer'], minimum: 1 }
const headerName = { kind: ['string'], pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", meaning: 'a header name' }

export const endpointSchema: OptionSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['origin'],
  properties: {
    origin: { kind: ['url'] },
    weight: { kind: ['number'], exclusiveMinimum: 0, default: 1 },
    priority: { kind: ['integer'], minimum: 0, maximum: 1000, default: 0 },
    // undici would refuse each request that says it, and blame the client.
    host: { kind: ['string'], pattern: '^[!-~]+$', meaning: 'a host, and perhaps a port' }
  }
}

export const upstreamSchema: OptionSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['endpoints'],
  properties: {
    endpoints: { type: 'array', minItems: 1, items: endpointSchema },
    // An object is checked when it is known what it is: see upstream-policies.ts.
    balancer: { kind: ['string', 'object'], if: { type: 'string' }, then: { enum: [...balancers.keys()] }, default: 'power-of-two' },
    pool: { ...poolSchema, default: {} },
    breaker: { ...breakerSchema, default: {} },
    limits: { ...limitsSchema, default: {} },
    health: { ...healthSchema, default: false },
    outlier: { ...outlierSchema, default: {} },
    slowStart: { ...milliseconds, default: 0 }
  }
}

export const canarySchema: OptionSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['upstream'],
  properties: {
    name: { kind: ['string'], minLength: 1 },
    upstream: { kind: ['string'] },
    header: headerName,
    values: { kind: ['strings', 'regexp'] },
    cookie: headerName,
    weight: { kind: ['number'], minimum: 0, maximum: 100, default: 0 },
    sticky: { kind: ['function', 'object'], keys: ['header', 'cookie'] },
    onEmpty: { kind: ['string'], enum: ['stable', 'fail'], default: 'stable' },
    fallback: { kind: ['boolean'], default: false }
  }
}

const editValues = { type: 'object', propertyNames: headerName, additionalProperties: { kind: ['string', 'function'] } }
const edits = {
  set: editValues,
  append: editValues,
  remove: { type: 'array', items: headerName }
}

/** What may stand in an attribute of Set-Cookie (RFC 6265 4.1.1): nothing that would end it. */
const attribute = { pattern: '^[\\x20-\\x3a\\x3c-\\x7e]+$', meaning: 'visible ASCII without semicolon' }
const attributeMap = { kind: ['string', 'false', 'object'], ...attribute, additionalProperties: { kind: ['string', 'false'], ...attribute } }
const cookiesSchema: OptionSchema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    domain: attributeMap,
    path: attributeMap,
    secure: { kind: ['boolean'] },
    sameSite: { kind: ['string', 'false'], enum: [false, 'strict', 'lax', 'none'] }
  }
}

const behaviour = {
  rewrite: { kind: ['string', 'function'] },
  host: { kind: ['string'], minLength: 1, default: 'upstream' },
  canary: canarySchema,
  canaries: { type: 'array', items: canarySchema },
  headers: {
    type: 'object',
    additionalProperties: false,
    properties: {
      request: { type: 'object', additionalProperties: false, properties: edits },
      response: {
        type: 'object',
        additionalProperties: false,
        properties: { ...edits, when: { kind: ['string'], enum: ['always', 'success', 'failure'] } }
      }
    }
  },
  onProxyRequest: { kind: ['function'] },
  onProxyResponse: { kind: ['function'] },
  forwarded: { kind: ['string', 'false'], enum: [false, 'x-forwarded', 'forwarded', 'both'], default: 'x-forwarded' },
  via: { kind: ['string', 'false'], ...tokenUnlessFalse(), default: 'sluice' },
  timeouts: {
    type: 'object',
    additionalProperties: false,
    default: {},
    properties: {
      head: { ...milliseconds, default: 30_000 },
      idle: { ...milliseconds, default: 60_000 },
      total: { ...milliseconds, default: 0 },
      attempt: { ...milliseconds, default: 0 },
      write: { ...milliseconds, default: 60_000 }
    }
  },
  retry: { ...retrySchema, default: {} },
  body: {
    type: 'object',
    additionalProperties: false,
    default: {},
    properties: {
      requestLimit: bytes,
      responseLimit: bytes,
      replay: { kind: ['integer'], minimum: 0, maximum: 2 ** 30, default: 65_536 },
      rewrite: rewriteSchema,
      rewriteJson: { kind: ['function'] },
      rewriteLimit: { ...bytes, default: 1_048_576 }
    }
  },
  forwardDeadline: { kind: ['boolean', 'string'], pattern: headerName.pattern, meaning: headerName.meaning, default: false },
  credentials: { kind: ['function', 'object'], ...credentialsObject() },
  cookies: cookiesSchema,
  location: { kind: ['boolean'], default: true },
  trace: { kind: ['string', 'false'], enum: [false, 'participate', 'passthrough', 'restart'], default: 'participate' },
  trust: { kind: ['function'] },
  encodedSlashes: { kind: ['string'], enum: ['forward', 'reject'], default: 'forward' },
  ambiguousPaths: { kind: ['string'], enum: ['forward', 'reject'], default: 'reject' },
  expose: { kind: ['boolean'], default: false },
  slow: { ...milliseconds, default: 200 },
  websocket: { kind: ['boolean', 'object'], default: false, ...websocketObject() }
}

/** Looked at only where an object was given. */
function websocketObject (): OptionSchema {
  return {
    additionalProperties: false,
    properties: {
      allowedOrigins: { kind: ['strings', 'function'] },
      idleTimeout: { ...milliseconds, default: 100_000 }
    }
  }
}

/** Looked at only where an object was given. */
function credentialsObject (): OptionSchema {
  return {
    additionalProperties: false,
    required: ['names', 'of'],
    properties: { names: { type: 'array', minItems: 1, items: headerName }, of: { kind: ['function'] } }
  }
}

/** Via pseudonyms are tokens (RFC 9110 7.6.3); JSON Schema's `pattern` passes over `false`. */
function tokenUnlessFalse (): OptionSchema {
  return { pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", meaning: 'a token' }
}

/** Fastify's own route options; Fastify itself checks their values. */
export const fastifyRouteKeys: readonly string[] = [
  'schema', 'attachValidation', 'exposeHeadRoute', 'validatorCompiler', 'serializerCompiler', 'bodyLimit', 'handlerTimeout',
  'logLevel', 'logSerializers', 'config', 'constraints', 'prefixTrailingSlash', 'errorHandler', 'childLoggerFactory',
  'schemaErrorFormatter', 'onRequest', 'preParsing', 'preValidation', 'preHandler', 'preSerialization', 'onSend', 'onResponse',
  'onTimeout', 'onError', 'onRequestAbort'
]

export const behaviourKeys: readonly string[] = Object.keys(behaviour)

export const routeSchema: OptionSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['url', 'upstream'],
  properties: {
    url: { kind: ['string'], pattern: '^[/*]', meaning: "a path that begins with '/'" },
    method: { kind: ['string', 'strings'] },
    upstream: { kind: ['string'] },
    ...behaviour
  }
}

/** The route of the one-line form: only there is it known which part of its url is the prefix. */
export const oneLineSchema: OptionSchema = {
  ...routeSchema,
  properties: { ...routeSchema['properties'] as object, rewritePrefix: { kind: ['string'], pattern: '^/|^$', meaning: "a path that begins with '/'" } }
}

/** Defaults are filled in on routes, after the registration's own; here they must not be. */
export const defaultsSchema: OptionSchema = { type: 'object', additionalProperties: false, properties: withoutDefaults(behaviour) as OptionSchema }

/** All but what a request has to be before its route runs. */
const { websocket, ambiguousPaths, ...replyBehaviour } = behaviour
export const replySchema: OptionSchema = { type: 'object', additionalProperties: false, properties: replyBehaviour }

/** Fastify's own register options; with a plugin that has no scope of its own it leaves them to the plugin. */
export const registerKeys: readonly string[] = ['logLevel', 'logSerializers']

/** Upstreams that `reply.proxy` may name by URL. */
export const adHocSchema: OptionSchema = {
  kind: ['false', 'object'],
  additionalProperties: false,
  required: ['origins'],
  default: false,
  properties: {
    origins: { kind: ['origins', 'function'] },
    max: { kind: ['integer'], minimum: 1, maximum: 100_000, default: 256 }
  }
}

/** What stands at the top of a registration beside, in the one-line form, a route's own keys. */
export const registrationSchema: OptionSchema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    upstreams: { type: 'object' },
    routes: { type: 'array' },
    prefix: { kind: ['string'], pattern: '^/|^$', meaning: "a path that begins with '/'" },
    defaults: {}, // see defaultsSchema
    metrics: { kind: ['boolean'], default: true },
    adHoc: adHocSchema,
    ...Object.fromEntries(registerKeys.map((key) => [key, {}]))
  }
}

function withoutDefaults (schema: unknown): unknown {
  if (Array.isArray(schema)) return schema
  if (typeof schema !== 'object' || schema === null) return schema
  const result: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(schema)) {
    if (key !== 'default') result[key] = withoutDefaults(value)
  }
  return result
}
