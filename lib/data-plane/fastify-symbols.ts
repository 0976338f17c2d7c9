/**
 * Where Fastify keeps what it does not say, by the description of the symbol; undefined where it keeps it otherwise some day
 * (test/contract/fastify.test.ts).
 */
export function symbolIn (object: object, description: string): symbol | undefined {
  return Object.getOwnPropertySymbols(object).find((symbol) => symbol.description === description)
}
