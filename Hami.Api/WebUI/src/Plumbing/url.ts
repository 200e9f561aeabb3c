import { useNavigate, useSearch } from '@tanstack/react-router'
import { useCallback } from 'react'

/** What stands behind the ? of the address: all of a page's state that somebody may want to send to a colleague. */
export type Search = Record<string, string | undefined>

/** One value of the address. Setting it changes the address without a new entry in the history, unless asked for. */
export function useUrl(key: string): [string | undefined, (value: string | undefined, options?: { push?: boolean }) => void] {
  const search = useSearch({ strict: false }) as Search
  const set = useSetUrl()
  return [search[key], useCallback((value, options) => set({ [key]: value }, options), [key, set])]
}

/** Sets several values of the address at once; undefined takes one away. */
export function useSetUrl(): (values: Search, options?: { push?: boolean }) => void {
  const navigate = useNavigate()
  return useCallback(
    (values, options) => void navigate({ to: '.', search: (before: Search) => ({ ...before, ...values }), replace: !options?.push } as never),
    [navigate],
  )
}

export function parseSearch(text: string): Search {
  return Object.fromEntries(new URLSearchParams(text))
}

export function stringifySearch(search: Record<string, unknown>): string {
  const entries = Object.entries(search).filter((entry): entry is [string, string] => typeof entry[1] === 'string' && entry[1] !== '')
  const text = new URLSearchParams(entries).toString().replaceAll('%3A', ':').replaceAll('%2F', '/')
  return text ? `?${text}` : ''
}
