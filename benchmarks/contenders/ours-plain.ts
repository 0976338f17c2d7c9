import { serveOurs } from '../serve-ours.ts'

// As `ours` is in small-get, whatever the scenario asks for: what a feature costs is the difference.
await serveOurs('none')
