/** Paths of routes as a large gateway has them: all different early, none a prefix of another. */
export const routes: readonly string[] = Array.from({ length: 12_000 }, (_, index) => `/route-${index}/v${index % 3}/things`)
