import * as catalog from './catalog.ts'
import type { Definition } from './catalog.ts'
import type { Histogram } from './histogram.ts'
import { OVERFLOW, type Tally } from './tally.ts'
import { readPairKey, readRequestKey } from './keys.ts'
import type { Recorder } from './recorder.ts'
import type { EndpointSeries, UpstreamSeries, VariantSeries } from './series.ts'
import { type Sample, single, whole } from './sample.ts'
import { breakerStates, canaryReasons, closeReasons, codeClasses, errors, methods, OTHER, results, retryReasons, tlsErrors } from './words.ts'
import { gauges } from './gauges.ts'

/** One metric and what there is of it now. Read lazily, so that a reader may rest between two samples. */
export interface Family {
  readonly definition: Definition
  /** Brings up to date all that is read of it, in steps. */
  prepare? (recorder: Recorder): Iterator<void>
  read (recorder: Recorder, now: number): Iterable<Sample>
}

function ofVariants (definition: Definition, read: (series: VariantSeries) => Iterable<Sample>): Family {
  return { definition, * read (recorder) { for (const series of recorder.variants.values()) yield * read(series) } }
}

function ofUpstreams (definition: Definition, read: (series: UpstreamSeries) => Iterable<Sample>): Family {
  return { definition, * read (recorder) { for (const series of recorder.upstreams.values()) yield * read(series) } }
}

function ofEndpoints (definition: Definition, read: (series: EndpointSeries) => Iterable<Sample>): Family {
  return { definition, * read (recorder) { for (const { endpoints } of recorder.upstreams.values()) for (const series of endpoints.values()) yield * read(series) } }
}

function * perClass (labels: readonly string[], durations: readonly Histogram[]): Generator<Sample> {
  for (const [index, histogram] of durations.entries()) {
    // Five classes of which most routes never see three.
    if (histogram.count > 0) yield whole([...labels, codeClasses.list[index]!], histogram)
  }
}

function * perError (labels: readonly string[], tally: Tally): Generator<Sample> {
  for (const [key, count] of tally.entries()) yield single([...labels, key === OVERFLOW ? OTHER : errors.list[key]!], count)
}

/** In the order in which they are printed. */
export const families: readonly Family[] = [
  ofVariants(catalog.requests, function * ({ route: { route }, upstream: { name }, variant, requests }) {
    for (const [key, count] of requests.entries()) {
      if (key === OVERFLOW) {
        yield single([route, name, variant, OTHER, OTHER, OTHER], count)
        continue
      }
      const [method, error, code] = readRequestKey(key)
      yield single([route, name, variant, methods.list[method]!, code === 0 ? OTHER : String(code), errors.list[error]!], count)
    }
  }),
  ofVariants(catalog.requestDuration, ({ route: { route }, upstream: { name }, variant, durations }) => perClass([route, name, variant], durations)),
  {
    definition: catalog.overhead,
    * read (recorder) { for (const { route, overhead } of recorder.routes.values()) yield whole([route], overhead) }
  },
  ofVariants(catalog.slowRequests, function * ({ route: { route }, upstream: { name }, variant, slow }) { yield single([route, name, variant], slow) }),
  {
    definition: catalog.requestBytes,
    prepare: (recorder) => recorder.passing(),
    * read (recorder) { for (const { route, upstream, bytes } of recorder.bytes.values()) yield single([route, upstream], bytes[0]!) }
  },
  {
    definition: catalog.responseBytes,
    prepare: (recorder) => recorder.passing(),
    * read (recorder) { for (const { route, upstream, bytes } of recorder.bytes.values()) yield single([route, upstream], bytes[1]!) }
  },
  {
    definition: catalog.canaryRequests,
    * read (recorder) {
      for (const { route, reasons } of recorder.routes.values()) {
        for (const [variant, counts] of reasons) {
          for (const [index, reason] of canaryReasons.list.entries()) {
            if (reason !== OTHER) yield single([route, variant, reason], counts[index]!)
          }
        }
      }
    }
  },
  {
    definition: catalog.canaryFallbacks,
    * read ({ snapshot }) {
      for (const { id, canaries } of snapshot?.routes.values() ?? []) {
        for (const { name, fallbacks } of canaries ?? []) yield single([id, name], fallbacks)
      }
    }
  },
  {
    definition: catalog.rateLimited,
    * read (recorder) {
      for (const { route, rateLimited } of recorder.routes.values()) {
        if (rateLimited > 0) yield single([route, 'upstream'], rateLimited)
      }
    }
  },
  ofEndpoints(catalog.attempts, function * ({ upstream: { name }, endpoint, attempts }) {
    for (const [key, count] of attempts.entries()) {
      if (key === OVERFLOW) {
        yield single([name, endpoint, OTHER, OTHER], count)
        continue
      }
      const [codeClass, error] = readPairKey(key)
      yield single([name, endpoint, codeClasses.list[codeClass]!, errors.list[error]!], count)
    }
  }),
  ofUpstreams(catalog.attemptDuration, ({ name, durations }) => perClass([name], durations)),
  ofUpstreams(catalog.headerDuration, function * ({ name, header }) { yield whole([name], header) }),
  ofUpstreams(catalog.connectDuration, function * ({ name, connect }) { yield whole([name], connect) }),
  ofUpstreams(catalog.queueDuration, function * ({ name, queue }) { yield whole([name], queue) }),
  ofUpstreams(catalog.retries, function * ({ name, retries }) {
    for (const [key, count] of retries.entries()) {
      const [reason, result] = readPairKey(key)
      yield single(key === OVERFLOW ? [name, OTHER, OTHER] : [name, retryReasons.list[reason]!, results.list[result]!], count)
    }
  }),
  ofUpstreams(catalog.connectionsOpened, function * ({ name, connect }) { yield single([name], connect.count) }),
  ofUpstreams(catalog.connectionsClosed, function * ({ name, closed }) {
    for (const [index, reason] of closeReasons.list.entries()) {
      if (reason !== OTHER) yield single([name, reason], closed[index]!)
    }
  }),
  ofUpstreams(catalog.connectFailures, ({ name, connectFailures }) => perError([name], connectFailures)),
  ofUpstreams(catalog.tlsReused, function * ({ name, tlsReused }) { yield single([name], tlsReused) }),
  ofUpstreams(catalog.tlsFailures, function * ({ name, connectFailures }) {
    for (const reason of tlsErrors) yield single([name, reason], connectFailures.count(errors.indexOf(reason)))
  }),
  ofUpstreams(catalog.breakerTransitions, function * ({ name, transitions }) {
    for (const [index, to] of breakerStates.list.entries()) {
      if (to !== OTHER) yield single([name, to], transitions[index]!)
    }
  }),
  ofUpstreams(catalog.ejections, function * ({ name, ejections }) {
    for (const [reason, count] of ejections) yield single([name, reason], count)
  }),
  ofEndpoints(catalog.healthChecks, function * ({ upstream: { name }, endpoint, checks }) {
    if (checks[0]! + checks[1]! === 0) return
    yield single([name, endpoint, 'success'], checks[0]!)
    yield single([name, endpoint, 'failure'], checks[1]!)
  }),
  ...gauges
]
