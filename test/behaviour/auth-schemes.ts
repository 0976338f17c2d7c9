import { createHmac } from 'node:crypto'
import auth from '@fastify/auth'
import basicAuth from '@fastify/basic-auth'
import bearerAuth from '@fastify/bearer-auth'
import jwt from '@fastify/jwt'
import type { FastifyInstance, FastifyRequest, onRequestHookHandler } from 'fastify'
import type { Client } from '../helpers/client.ts'

/** One way of asking who calls. */
export interface Scheme {
  name: string
  /** Registers the plugin and gives the hook that refuses. */
  setUp (app: FastifyInstance): Promise<onRequestHookHandler>
  /** Headers that are let through. */
  good: Record<string, string>
  /** Headers that are not: by what is wrong with them. */
  bad: Record<string, Record<string, string>>
}

export interface Claims { sub: string, scope?: string, name?: string }

const secret = 'the secret of these tests'

export async function setUpJwt (app: FastifyInstance): Promise<void> {
  await app.register(jwt, { secret })
}

export async function authenticate (request: FastifyRequest): Promise<void> {
  await request.jwtVerify()
}

/** What @fastify/jwt has found out about the caller. */
export function claimsOf (request: FastifyRequest): Claims {
  return request.user as Claims
}

/** An `authorization` header with a JSON Web Token; `key` null leaves it unsigned. */
export function bearer (claims: Claims & { exp?: number }, key: string | null = secret): { authorization: string } {
  const text = [{ alg: key === null ? 'none' : 'HS256', typ: 'JWT' }, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
  const signature = key === null ? '' : createHmac('sha256', key).update(text).digest('base64url')
  return { authorization: `Bearer ${text}.${signature}` }
}

function basic (user: string, password: string): { authorization: string } {
  return { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` }
}

async function setUpBearerAuth (app: FastifyInstance): Promise<void> {
  await app.register(bearerAuth, { keys: new Set(['a-key']), addHook: false, verifyErrorLogLevel: 'debug' })
}

async function setUpBasicAuth (app: FastifyInstance): Promise<void> {
  await app.register(basicAuth, {
    authenticate: true,
    validate: async (user, password) => { if (user !== 'ann' || password !== 'secret') throw new Error('wrong name or password') }
  })
}

export const schemes: Scheme[] = [
  {
    name: '@fastify/jwt',
    async setUp (app) {
      await setUpJwt(app)
      return authenticate
    },
    good: bearer({ sub: 'ann' }),
    bad: {
      'no token': {},
      'no such token': { authorization: 'Bearer nonsense' },
      'another signature': bearer({ sub: 'ann' }, 'another secret'),
      'no signature': bearer({ sub: 'ann' }, null),
      'a token of the past': bearer({ sub: 'ann', exp: 1 })
    }
  },
  {
    name: '@fastify/bearer-auth',
    async setUp (app) {
      await setUpBearerAuth(app)
      return app.verifyBearerAuth!
    },
    good: { authorization: 'Bearer a-key' },
    bad: { 'no key': {}, 'another key': { authorization: 'Bearer b-key' }, 'another scheme': basic('a-key', '') }
  },
  {
    name: '@fastify/basic-auth',
    async setUp (app) {
      await setUpBasicAuth(app)
      return app.basicAuth as onRequestHookHandler
    },
    good: basic('ann', 'secret'),
    bad: { 'no password': {}, 'another password': basic('ann', 'guess'), 'another scheme': { authorization: 'Bearer a-key' } }
  },
  {
    name: '@fastify/auth, either of two',
    async setUp (app) {
      await app.register(auth)
      await setUpBearerAuth(app)
      await setUpBasicAuth(app)
      return app.auth([app.verifyBearerAuth!, app.basicAuth as onRequestHookHandler]) as onRequestHookHandler
    },
    good: basic('ann', 'secret'),
    bad: { neither: {}, 'a wrong key': { authorization: 'Bearer b-key' }, 'a wrong password': basic('ann', 'guess') }
  },
  {
    name: '@fastify/auth, both of two',
    async setUp (app) {
      await app.register(auth)
      await setUpBearerAuth(app)
      const hasTenant = async (request: FastifyRequest): Promise<void> => { if (request.headers['x-tenant'] !== 'acme') throw Object.assign(new Error('no such tenant'), { statusCode: 403 }) }
      return app.auth([app.verifyBearerAuth!, hasTenant], { relation: 'and' }) as onRequestHookHandler
    },
    good: { authorization: 'Bearer a-key', 'x-tenant': 'acme' },
    bad: { 'the first only': { authorization: 'Bearer a-key' }, 'the second only': { 'x-tenant': 'acme' } }
  }
]

/** Begins an upload of many chunks that the client never ends: who waits for it, or reads it to the end, never answers. */
export function upload (client: Client, path: string, headers: Record<string, string>): void {
  const lines = Object.entries({ host: 'proxy.test', 'transfer-encoding': 'chunked', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`)
  client.write(`POST ${path} HTTP/1.1\r\n${lines.join('')}\r\n`)
  const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`
  for (let count = 0; count < 32; count++) client.write(chunk)
}
