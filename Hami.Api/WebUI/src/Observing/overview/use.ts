import { ClusterUseNowDocument, ClusterUseThenDocument } from '../../Plumbing/asked'
import { useMoment } from '../../Plumbing/moment'
import { measured, useQuestion } from '../../Plumbing/question'

/** What the cards did at the moment of the page, as far as it is known. */
export interface Use {
  /** Percent, the average over the cards that tell. */
  busy: number | null
  memoryUsedMiB: number | null
  /** What these cards have, without memory scaling; known for now alone. */
  memoryTotalMiB: number | null
  /** How many cards tell. */
  devices: number | null
}

interface Told {
  at: string
  busy?: number | null
  memoryUsedMiB?: number | null
  series?: number | null
}

const unknown: Use = { busy: null, memoryUsedMiB: null, memoryTotalMiB: null, devices: null }

/** How long before a moment something may have been measured to be true of it, in ms. */
const stillTrue = 15 * 60_000

/** The use of now, or of the last five minutes before a past moment of which something is known. */
export function useUse(): { use: Use; error: unknown } {
  const { at, isNow } = useMoment()
  const now = useQuestion(ClusterUseNowDocument, {}, { enabled: isNow, every: measured })
  const moment = at ? Date.parse(at) : 0
  const then = useQuestion(
    ClusterUseThenDocument,
    { from: new Date(moment - stillTrue).toISOString(), to: new Date(moment).toISOString() },
    { enabled: !isNow, ignoresLog: true },
  )
  if (isNow) return { use: { ...unknown, ...now.data?.clusterUsage }, error: now.error }
  return { use: lastBefore(then.data?.usageTrend.points ?? [], moment), error: then.error }
}

export function lastBefore(points: Told[], moment: number): Use {
  const last = points.findLast((point) => Date.parse(point.at) <= moment && (point.busy != null || point.memoryUsedMiB != null))
  return last ? { ...unknown, busy: last.busy ?? null, memoryUsedMiB: last.memoryUsedMiB ?? null, devices: last.series ?? null } : unknown
}
