import './fastify.ts'

export type * from './options.ts'
export type * from './model.ts'
export type * from './policy.ts'
export type * from './control.ts'
export type * from './slowest.ts'
export type * from './explanation.ts'
export type * from './metrics.ts'
