import type { Goal } from './goals.ts'

/** What a contender has to do beside passing on what comes; see contract.ts. */
export type Feature = 'none' | 'tls' | 'canary' | 'endpoints' | 'policies' | 'routes' | 'rewrite' | 'pair' | 'room'

/** One kind of traffic. */
export interface Scenario {
  readonly name: string
  /** Printed above its table. */
  readonly what: string
  readonly feature: Feature
  /** Who takes part, where that are not all. */
  readonly contenders: readonly string[] | null
  readonly connections: number
  /** Whether clients keep their connections. */
  readonly keepAlive: boolean
  readonly method: 'GET' | 'POST'
  readonly path: string
  /** Requests that are sent in turns, in place of `path` alone. */
  readonly mix: (() => readonly Asked[]) | null
  /** Size of the request body in bytes; 0 sends none. */
  readonly upload: number
  /** The body of the one right answer, always with status 200. */
  readonly answer: Buffer
  /** Of those who do not have the feature, and of the origin itself, where it is another. */
  readonly plainAnswer: Buffer | null
  /** `scripted` where the origin has to do what nginx cannot. */
  readonly origin: 'fast' | 'scripted'
  /** What the project promises. */
  readonly goals: readonly Goal[]
}

export interface Asked {
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
}

/** Those who run everywhere. The others are variations on them, and run where the traffic is plain. */
export const everywhere: readonly string[] = ['ours', 'fastify-http-proxy', 'floor', 'go-httputil', 'haproxy', 'nginx']

/** Contenders that pass everything on as it is, whatever the feature, and show what it costs. */
export const plain: readonly string[] = ['ours-plain', 'floor', 'direct']

/** A small GET by 64 connections; scenarios say what is different about them. */
export const ordinary: Omit<Scenario, 'name' | 'what' | 'path' | 'answer'> = {
  feature: 'none',
  contenders: null,
  connections: 64,
  keepAlive: true,
  method: 'GET',
  mix: null,
  upload: 0,
  plainAnswer: null,
  origin: 'fast',
  goals: []
}

export function answerTo (scenario: Scenario, contender: string): Buffer {
  return scenario.plainAnswer !== null && plain.includes(contender) ? scenario.plainAnswer : scenario.answer
}
