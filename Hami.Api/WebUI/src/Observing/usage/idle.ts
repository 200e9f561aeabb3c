import { useQuery } from '@tanstack/react-query'
import { ask } from '../../Plumbing/ask'
import { CardDaysDocument, type CardDayFilter } from '../../Plumbing/asked'
import { everyRow, largestPage } from '../../Plumbing/csv'

/** More cards' days than this are not added up in the browser. */
export const mostAddedUp = 5_000

export interface Idle {
  hours: number
  idleHours: number
}

/** How long all these cards were there and how long nobody held them; null when there are too many to add up. */
export function useIdle(filter: CardDayFilter) {
  return useQuery({
    queryKey: ['idle', filter],
    meta: { isDear: true },
    queryFn: async ({ signal }): Promise<Idle | null> => {
      const asked = { filter, sort: 'DAY', descending: true, first: largestPage } as const
      const first = (await ask(CardDaysDocument, asked, signal)).cardDays
      if (first.totalCount > mostAddedUp) return null
      const rows = await everyRow(async (after) => (after ? (await ask(CardDaysDocument, { ...asked, after }, signal)).cardDays : first))
      return rows.reduce((sum, row) => ({ hours: sum.hours + row.hours, idleHours: sum.idleHours + row.idleHours }), { hours: 0, idleHours: 0 })
    },
  })
}
