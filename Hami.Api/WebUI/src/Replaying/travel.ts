import { useCallback } from 'react'
import { ask } from '../Plumbing/ask'
import { EventBesideDocument } from '../Plumbing/asked'
import { useMoment } from '../Plumbing/moment'
import { beside, momentOf } from './window'

/** Shows the page as of a moment (ms since 1970); of now, when that is not in the past. Entering the past is one entry of the browser's history, moving in it none. */
export function useTravel(): (to: number | undefined) => void {
  const { isNow, set } = useMoment()
  return useCallback((to) => {
    if (to === undefined || to >= Date.now()) set(undefined)
    else set(new Date(to), { push: isNow })
  }, [isNow, set])
}

/** The moment of the event before, or after, a moment; undefined when there is none. */
export async function askBeside(at: string | undefined, isBack: boolean, signal?: AbortSignal): Promise<number | undefined> {
  const answer = await ask(EventBesideDocument, beside(at, isBack), signal)
  const event = answer.events.items[0]
  return event ? momentOf(event.at) : undefined
}
