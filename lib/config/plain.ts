import { isBalancer } from '../data-plane/balancer/index.ts'

/* Objects and lists as they are written in options, and what else may stand in them. */

export type Plain = Record<string, unknown>

export function isPlain (value: unknown): value is Plain {
  if (typeof value !== 'object' || value === null) return false
  const prototype = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

/** Copies what JSON could hold; functions, buffers, regular expressions and balancers, which may keep count, stay the user's. */
export function copyOptions (value: unknown): unknown {
  if (Array.isArray(value)) return value.map(copyOptions)
  if (!isPlain(value) || isBalancer(value)) return value
  const result: Plain = {}
  for (const [key, item] of Object.entries(value)) {
    if (item !== undefined) result[key] = copyOptions(item)
  }
  return result
}

/** Freezes all that `copyOptions` copies. */
export function freeze<T> (value: T): T {
  if (Array.isArray(value)) value.forEach(freeze)
  else if (isPlain(value) && !isBalancer(value)) {
    for (const [key, item] of Object.entries(value)) {
      // Fastify writes into the objects of its own options.
      if (key !== 'fastify') freeze(item)
    }
  } else return value
  return Object.freeze(value)
}
