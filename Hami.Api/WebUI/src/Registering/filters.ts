import { useSearch } from '@tanstack/react-router'
import { useSetUrl, type Search } from '../Plumbing/url'

/** What the address asks of a list: each filter by itself, and a status that stands for one or several of them. */
export function useFilters<Key extends string, Name extends string, Part extends string>(keys: readonly Key[], statuses: Record<Name, { readonly [key in Part]?: string }>, parts: readonly Part[]) {
  const address = useSearch({ strict: false }) as Search
  const set = useSetUrl()
  const names = Object.keys(statuses) as Name[]
  const values = Object.fromEntries([...keys, ...parts].map((key) => [key, address[key]])) as { [key in Key | Part]?: string }
  const none = (of: readonly string[]) => Object.fromEntries(of.map((key) => [key, undefined]))
  return {
    values,
    names,
    status: names.find((name) => Object.entries(statuses[name]).every(([key, value]) => address[key] === value)),
    isFiltered: Object.values(values).some((value) => !!value),
    set: (key: Key) => (value: string | undefined) => set({ [key]: value }),
    choose: (name: string | undefined) => set({ ...none(parts), ...statuses[name as Name] }),
    clear: () => set(none([...keys, ...parts])),
  }
}
