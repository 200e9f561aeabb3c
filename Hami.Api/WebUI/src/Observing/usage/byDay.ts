import { useQueries } from '@tanstack/react-query'
import { ask } from '../../Plumbing/ask'
import { UsageRowsDocument, type UsageFilter, type UsageRowsQuery, type UsageRowsQueryVariables } from '../../Plumbing/asked'
import { largestPage } from '../../Plumbing/csv'
import { useQuestion } from '../../Plumbing/question'
import type { Choice } from './choice'
import { measures } from './measure'
import { daysOf } from './period'
import { split, type ByDay } from './split'

const most = 5

/** Asks for the days of all together, and of each of the largest by itself; what is left are the others. */
export function useByDay({ period, today, filter, measure }: Choice): { data: ByDay | undefined; error: unknown; refetch: () => void } {
  const { sort } = measures[measure]
  const all = useQuestion(UsageRowsDocument, daily(filter), { isDear: true, every: 60_000 })
  const largest = useQuestion(UsageRowsDocument, { by: ['NAMESPACE'], filter, sort, descending: true, first: most }, { isDear: true })
  const names = largest.data?.usage.items.flatMap((row) => row?.namespace ?? []) ?? []
  const each = useQueries({
    queries: names.map((namespace) => {
      const variables = daily({ ...filter, namespace })
      return {
        queryKey: [UsageRowsDocument.toString(), variables],
        queryFn: ({ signal }: { signal: AbortSignal }) => ask(UsageRowsDocument, variables, signal),
        meta: { isDear: true },
      }
    }),
  })
  const refetch = () => [all, largest, ...each].forEach((question) => void question.refetch())
  const error = [all, largest, ...each].find((question) => question.error)?.error
  if (!all.data || !largest.data || each.some((question) => !question.data)) return { data: undefined, error, refetch }
  const rowsOf = (data: UsageRowsQuery | undefined) => data?.usage.items.filter((row) => row !== null) ?? []
  return {
    data: split(daysOf(period, today), rowsOf(all.data), names.map((namespace, i) => ({ namespace, rows: rowsOf(each[i]!.data) })), measure),
    error,
    refetch,
  }
}

function daily(filter: UsageFilter): UsageRowsQueryVariables {
  return { by: ['DAY'], filter, sort: 'DAY', descending: true, first: largestPage }
}
