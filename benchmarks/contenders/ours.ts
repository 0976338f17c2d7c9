import { serveOurs } from '../serve-ours.ts'
import { feature } from '../contract.ts'

await serveOurs(feature)
