import { QueryClient, type Query } from '@tanstack/react-query'
import { createClient } from 'graphql-sse'
import { useSyncExternalStore } from 'react'
import { onTokenChange } from '../Access/token'
import { headers, isForNow } from './ask'
import { ClusterChangedDocument, type ClusterChangedSubscription } from './asked'

/** Whether changes are told as they happen. */
export type Connection = { state: 'connecting' } | { state: 'live' } | { state: 'lost'; since: Date }

/** Lists with more pages than this are not asked again by themselves: their page says that there is news. */
const mostPagesAskedAgain = 2

let connection: Connection = { state: 'connecting' }
const listeners = new Set<() => void>()

function become(next: Connection): void {
  if (next.state === 'lost' && connection.state === 'lost') return
  connection = next
  listeners.forEach((listener) => listener())
}

export function useConnection(): Connection {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    () => connection,
  )
}

export const questions = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 30_000,
      refetchOnWindowFocus: true,
      networkMode: 'always',
      // What cannot be asked now is asked again; what is refused stays refused.
      retry: (failures, error) => failures < 2 && isForNow(error),
      retryDelay: (attempt) => 500 * 2 ** attempt,
    },
  },
})

/** What shows the present is asked again; what shows a past moment never changes. */
function askAgain(): void {
  const isChanged = (query: Query) => isOfNow(query.queryKey) && !query.meta?.isDear
  const isLong = (query: Query) => pages(query.state.data) > mostPagesAskedAgain
  void questions.invalidateQueries({ predicate: (query) => isChanged(query) && !isLong(query) })
  void questions.invalidateQueries({ predicate: (query) => isChanged(query) && isLong(query), refetchType: 'none' })
}

function isOfNow(key: readonly unknown[]): boolean {
  const variables = key[1] as { at?: unknown } | undefined
  return !variables?.at
}

function pages(data: unknown): number {
  return (data as { pages?: unknown[] } | undefined)?.pages?.length ?? 1
}

/** Asks again what could not be answered for now, every few seconds until the returned function is called: nothing else tells when it can be. */
export function insist(): () => void {
  const timer = setInterval(() => {
    void questions.refetchQueries({ type: 'active', predicate: ({ state }) => state.status === 'error' && state.fetchStatus === 'idle' && isForNow(state.error) })
  }, 5_000)
  return () => clearInterval(timer)
}

/** Follows the log until the returned function is called: resumes after a lost connection, and says when there is none. */
export function follow(): () => void {
  let lastId: string | undefined
  let due: ReturnType<typeof setTimeout> | undefined
  let end = begin()
  const forget = onTokenChange(() => {
    end()
    end = begin()
  })
  return () => {
    forget()
    clearTimeout(due)
    end()
  }

  function askAgainIn(ms: number): void {
    clearTimeout(due)
    due = setTimeout(askAgain, ms)
  }

  function begin(): () => void {
    const client = createClient({
      url: '/graphql',
      headers: () => ({ ...headers(), ...(lastId ? { 'Last-Event-ID': lastId } : {}) }),
      retryAttempts: Number.MAX_SAFE_INTEGER,
      retry: async (retries) => {
        become({ state: 'lost', since: new Date() })
        await new Promise((resolve) => setTimeout(resolve, Math.min(500 * 2 ** retries, 8_000) * (0.5 + Math.random())))
      },
      on: {
        connected: () => {
          // After a gap everything may be different.
          if (connection.state === 'lost') {
            askAgain()
            // What failed meanwhile is tried again, of past moments too.
            void questions.invalidateQueries({ predicate: (query) => query.state.status === 'error' })
          }
          become({ state: 'live' })
          isFirst = true
        },
      },
    })
    let ended = false
    let isFirst = true
    const again = () => {
      if (!ended) setTimeout(() => !ended && subscribe(), 1_000)
    }
    const subscribe = () =>
      client.subscribe<ClusterChangedSubscription>(
        { query: ClusterChangedDocument.toString() },
        {
          next: (message) => {
            if (message.errors?.length) {
              // A position that this server does not have: begin anew.
              lastId = undefined
              askAgain()
              return
            }
            if (message.data) lastId = String(message.data.clusterChanged.position)
            // The first says where the log is: what the page has asked for at the same time is as new as that, or nearly.
            askAgainIn(isFirst ? 2_000 : 150)
            isFirst = false
          },
          error: () => {
            become({ state: 'lost', since: new Date() })
            lastId = undefined
            again()
          },
          // The server ends a subscription after a while, so that rights are asked for anew.
          complete: again,
        },
      )
    subscribe()
    return () => {
      ended = true
      client.dispose()
    }
  }
}
