import type { CalendarAriaLabels } from '@mantine/dates'
import { useTranslation } from 'react-i18next'

/** What the arrows of a calendar say to who cannot see them; give it to every date picker as `ariaLabels`. */
export function useCalendarWords(): CalendarAriaLabels {
  const { t } = useTranslation('plumbing')
  return {
    nextMonth: t('calendar.nextMonth'),
    previousMonth: t('calendar.previousMonth'),
    nextYear: t('calendar.nextYear'),
    previousYear: t('calendar.previousYear'),
    nextDecade: t('calendar.nextDecade'),
    previousDecade: t('calendar.previousDecade'),
  }
}
