import type { TFunction } from 'i18next'
import type { ContainerAskFragment } from '../Plumbing/asked'
import * as units from '../Plumbing/units'

/** What a container asks, such as: 2 cards, each 8 GiB, 30 % of the compute. */
export function askText(t: TFunction<'placing'>, ask: ContainerAskFragment): string {
  const parts = [ask.memoryMiB > 0 ? units.memory(ask.memoryMiB) : t('ask.memoryPercent', { percent: units.percent(ask.memoryPercent) })]
  if (ask.cores > 0) parts.push(t('ask.cores', { percent: units.percent(ask.cores) }))
  return t('ask.cards', { count: ask.count, formatted: units.count(ask.count), each: parts.join(t('ask.and')) })
}

/** What the containers ask that ask for cards. */
export function asksOf<T extends ContainerAskFragment>(ask: { containers: T[] } | null | undefined): T[] {
  return ask?.containers.filter((container) => container.count > 0) ?? []
}
