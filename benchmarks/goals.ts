/** What is promised of `ours` in a scenario; `against` is another contender. */
export type Goal =
  /** CPU per request, at most this share. */
  | { readonly kind: 'cpu', readonly against: string, readonly most: number }
  /** What is added to the p50 of `direct`, at most this share of what the other adds. */
  | { readonly kind: 'added-p50', readonly against: string, readonly most: number }
  /** Share of the rate of `direct`. */
  | { readonly kind: 'share', readonly least: number }
  /** Milliseconds added to the p99 of `direct`. */
  | { readonly kind: 'added-p99', readonly most: number }

export interface Figures {
  /** Microseconds per request. */
  readonly cpu: number | null
  readonly rate: number
  /** Milliseconds. */
  readonly p50: number
  readonly p99: number
}

/** One line on a goal, or null where somebody it needs has no number. */
export function judge (goal: Goal, figures: ReadonlyMap<string, Figures>): string | null {
  const ours = figures.get('ours')
  const direct = figures.get('direct')
  const other = 'against' in goal ? figures.get(goal.against) : undefined
  if (ours === undefined) return null

  switch (goal.kind) {
    case 'cpu': {
      if (ours.cpu === null || other?.cpu == null) return null
      return atMost(`CPU, ours ÷ ${goal.against}`, ours.cpu / other.cpu, goal.most)
    }
    case 'added-p50': {
      if (other === undefined || direct === undefined) return null
      return atMost(`added p50, ours ÷ ${goal.against}`, (ours.p50 - direct.p50) / (other.p50 - direct.p50), goal.most)
    }
    case 'share': {
      if (direct === undefined) return null
      const share = ours.rate / direct.rate
      return `share of the direct rate is ${(share * 100).toFixed(1)} %, the goal ${(goal.least * 100).toFixed(0)} %: ${share >= goal.least ? 'met' : 'missed'}`
    }
    case 'added-p99': {
      if (direct === undefined) return null
      return atMost('ms added to the p99 of direct', ours.p99 - direct.p99, goal.most)
    }
  }
}

function atMost (what: string, value: number, most: number): string {
  return `${what}: ${value.toFixed(2)}, the goal ${most.toFixed(2)}: ${value <= most ? 'met' : 'missed'}`
}
