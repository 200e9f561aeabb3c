import { ClusterUseNowDocument, ClusterUseThenDocument } from '../../Plumbing/asked'
import { useMoment } from '../../Plumbing/moment'
import { measured, useQuestion } from '../../Plumbing/question'
import { lastBefore, unknown, type Use } from './lastUse'

/** How long before a moment something may have been measured to be true of it, in ms. */
const stillTrue = 15 * 60_000

const fiveMinutes = 300_000

/** The use of now, or of the last five minutes before a past moment of which something is known. */
export function useUse(): { use: Use; error: unknown } {
  const { at, isNow } = useMoment()
  const now = useQuestion(ClusterUseNowDocument, {}, { enabled: isNow, every: measured })
  const moment = at ? Date.parse(at) : 0
  // Use is kept in sums of five minutes: those that were over by then.
  const until = Math.floor(moment / fiveMinutes) * fiveMinutes
  const then = useQuestion(
    ClusterUseThenDocument,
    { from: new Date(until - stillTrue).toISOString(), to: new Date(until).toISOString() },
    { enabled: !isNow, isDear: true },
  )
  if (isNow) return { use: { ...unknown, ...now.data?.clusterUsage }, error: now.error }
  return { use: lastBefore(then.data?.usageTrend.points ?? [], until), error: then.error }
}
