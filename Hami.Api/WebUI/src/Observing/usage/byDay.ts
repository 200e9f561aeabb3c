import { useQueries, type UseQueryResult } from '@tanstack/react-query'
import { useMemo } from 'react'
import { ask } from '../../Plumbing/ask'
import { UsageRowsDocument, type UsageFilter, type UsageRowsQuery, type UsageRowsQueryVariables } from '../../Plumbing/asked'
import { largestPage } from '../../Plumbing/csv'
import { useQuestion } from '../../Plumbing/question'
import type { Choice } from './choice'
import { measures, type Row } from './measure'
import { daysOf } from './period'
import { split, type ByDay } from './split'

const most = 5

/** Sums grow by the minute. */
const every = 60_000

/** Asks for the days of all together, and of each of the largest by itself; what is left are the others. */
export function useByDay({ period, today, filter, measure }: Choice): { data: ByDay | undefined; error: unknown; refetch: () => void } {
  const all = useQuestion(UsageRowsDocument, daily(filter), { isDear: true, every })
  const largest = useQuestion(UsageRowsDocument, { by: ['NAMESPACE'], filter, sort: measures[measure].sort, descending: true, first: most }, { isDear: true, every })
  const names = largest.data?.usage.items.flatMap((row) => row?.namespace ?? []) ?? []
  const each = useQueries({
    queries: names.map((namespace) => {
      const variables = daily({ ...filter, namespace })
      return {
        queryKey: [UsageRowsDocument.toString(), variables],
        queryFn: async ({ signal }: { signal: AbortSignal }) => ask(UsageRowsDocument, variables, signal),
        meta: { isDear: true },
        refetchInterval: every,
      }
    }),
    combine,
  })
  const data = useMemo(
    () => all.data && each.data && split(daysOf(period, today), rowsOf(all.data), each.data.map((days, i) => ({ namespace: names[i]!, rows: rowsOf(days) })), measure),
    // The names come and go with their days.
    [all.data, each.data, period.from, period.to, today, measure],
  )
  return { data: largest.data && data, error: all.error ?? largest.error ?? each.error, refetch: () => [all, largest, ...each.failed].forEach((question) => void question.refetch()) }
}

function combine(each: UseQueryResult<UsageRowsQuery>[]) {
  const data = each.flatMap((question) => question.data ?? [])
  const failed = each.filter((question) => question.error)
  return { data: data.length === each.length ? data : undefined, error: failed[0]?.error, failed }
}

function rowsOf(data: UsageRowsQuery): Row[] {
  return data.usage.items.filter((row) => row !== null)
}

function daily(filter: UsageFilter): UsageRowsQueryVariables {
  return { by: ['DAY'], filter, sort: 'DAY', descending: true, first: largestPage }
}
