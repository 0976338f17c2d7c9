/** Paths of routes as a large gateway has them: all different early, none a prefix of another. Made when they are asked for: some 50,000 objects that a contender would hold in every scenario. */
export function manyPaths (): readonly string[] {
  return Array.from({ length: 12_000 }, (_, index) => `/route-${index}/v${index % 3}/things`)
}
