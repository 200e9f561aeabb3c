/** Kinds of what happens to a pod. */
export type Kind = 'created' | 'refused' | 'preemption' | 'placed' | 'adopted' | 'bound' | 'attached' | 'shrunk' | 'released' | 'withdrawn' | 'other'

/** One thing that happened to a pod, or several of the same kind in a row. */
export interface Happening {
  kind: Kind
  at: string
  /** When the last of several happened. */
  until?: string
  /** A sentence for each. */
  whats: string[]
  /** Position in the log of the last. */
  position?: number
  /** Milliseconds since what happened before; undefined for the first. */
  after?: number
}

const kinds: Record<string, Kind> = {
  placement_refused: 'refused',
  preemption_planned: 'preemption',
  workload_withdrawn: 'withdrawn',
  allocation_placed: 'placed',
  allocation_adopted: 'adopted',
  allocation_bound: 'bound',
  allocation_attached: 'attached',
  allocation_shrunk: 'shrunk',
  allocation_released: 'released',
}

/** What happened to a pod in order, refusals in a row as one. */
export function timelineOf(
  steps: { position: number; at: string; what: string }[],
  /** What the log calls what happened. */
  typeAt: (position: number) => string | undefined,
  createdAt?: string | null,
): Happening[] {
  const happenings: Happening[] = []
  // The API server's clock knows whole seconds.
  const isCreatedFirst = createdAt && (!steps[0] || Date.parse(createdAt) <= Date.parse(steps[0].at))
  if (isCreatedFirst) happenings.push({ kind: 'created', at: createdAt, whats: [] })
  for (const step of steps) {
    const kind = kinds[typeAt(step.position) ?? ''] ?? 'other'
    const last = happenings.at(-1)
    if (kind === 'refused' && last?.kind === 'refused') {
      last.whats.push(step.what)
      last.until = step.at
      last.position = step.position
    } else {
      happenings.push({
        kind,
        at: step.at,
        whats: [step.what],
        position: step.position,
        after: last && Math.max(0, Date.parse(step.at) - Date.parse(last.until ?? last.at)),
      })
    }
  }
  return happenings
}
