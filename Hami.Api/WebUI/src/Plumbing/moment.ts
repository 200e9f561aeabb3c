import { useMemo } from 'react'
import { useUrl } from './url'

/** The moment a page shows. */
export interface Moment {
  /** As it stands in the address (ISO 8601, UTC); undefined for now. Give it as the variable `at`. */
  at: string | undefined
  isNow: boolean
  /** Shows another moment, or now. */
  set: (at: Date | undefined, options?: { push?: boolean }) => void
}

export function useMoment(): Moment {
  const [text, setText] = useUrl('at')
  return useMemo(() => {
    // An address that nobody can read shows now.
    const at = text && !Number.isNaN(Date.parse(text)) ? text : undefined
    return { at, isNow: !at, set: (next, options) => setText(next?.toISOString(), options) }
  }, [text, setText])
}
