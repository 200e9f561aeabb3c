import { keepPreviousData, useInfiniteQuery, useQuery, type UseQueryResult } from '@tanstack/react-query'
import { ask } from './ask'
import type { TypedDocumentString } from './asked'

/** How often what agents measure is looked at again, in ms; the log does not tell of it. */
export const measured = 10_000

interface Options {
  enabled?: boolean
  /** Asked again every so many ms, for what changes without the log: what agents measure. */
  every?: number
  /** Not asked again at every change of the cluster, for what is dear to answer; give `every` too. */
  isDear?: boolean
}

/** Asks a question, and asks it again when the cluster changes; not for a past moment (variable `at`), which stays as it was. */
export function useQuestion<TResult, TVariables>(
  document: TypedDocumentString<TResult, TVariables>,
  variables: TVariables,
  options: Options = {},
): UseQueryResult<TResult> {
  const isNow = !(variables as { at?: unknown } | undefined)?.at
  return useQuery({
    queryKey: [document.toString(), variables],
    queryFn: ({ signal }) => ask(document, variables, signal),
    placeholderData: keepPreviousData,
    enabled: options.enabled ?? true,
    refetchInterval: isNow && options.every ? options.every : false,
    staleTime: isNow ? 30_000 : Infinity,
    meta: { isDear: options.isDear },
  })
}

/** A Relay connection, as every list of the schema is. */
export interface PageOf<Row> {
  items: (Row | null)[]
  pageInfo: { endCursor?: string | null; hasNextPage: boolean }
  totalCount?: number
}

/** Rows of one page. */
export const pageSize = 200

/** Asks for a list page by page; the document takes `$first` and `$after`. */
export function useList<TResult, TVariables, Row>(
  document: TypedDocumentString<TResult, TVariables>,
  variables: Omit<TVariables, 'first' | 'after'>,
  pick: (result: TResult) => PageOf<Row>,
  options: Options & { size?: number } = {},
) {
  const isNow = !(variables as { at?: unknown }).at
  const query = useInfiniteQuery({
    queryKey: [document.toString(), variables],
    queryFn: ({ pageParam, signal }) => ask(document, { ...variables, first: options.size ?? pageSize, after: pageParam } as TVariables, signal),
    initialPageParam: null as string | null,
    getNextPageParam: (last: TResult) => {
      const info = pick(last).pageInfo
      return info.hasNextPage ? (info.endCursor ?? undefined) : undefined
    },
    placeholderData: keepPreviousData,
    enabled: options.enabled ?? true,
    refetchInterval: (q) => (isNow && options.every && (q.state.data?.pages.length ?? 0) <= 1 ? options.every : false),
    staleTime: isNow ? 30_000 : Infinity,
    meta: { isDear: options.isDear },
  })
  const rows = query.data?.pages.flatMap((page) => pick(page).items.filter((row) => row !== null)) ?? []
  const total = query.data?.pages[0] === undefined ? undefined : pick(query.data.pages[0]).totalCount
  return { ...query, rows: rows as Row[], total }
}

/** What a list shows of its question. */
export type ListQuestion<Row> = ReturnType<typeof useList<unknown, unknown, Row>>
