import { useId } from '@mantine/hooks'
import { DateTimePicker, type DateTimePickerProps } from '@mantine/dates'
import dayjs from 'dayjs'
import { useTranslation } from 'react-i18next'
import { useCalendarWords } from '../Plumbing/calendar'
import * as units from '../Plumbing/units'

/** Chooses a moment, to the second, in the reader's own time zone. */
export function MomentPicker({ at, onChoose, min, max, 'aria-label': name, ...props }: {
  /** ISO 8601 or ms since 1970; undefined for none. */
  at: string | number | undefined
  onChoose: (at: Date | undefined) => void
  min?: number
  max?: number
} & Pick<DateTimePickerProps, 'label' | 'placeholder' | 'clearable' | 'size' | 'w' | 'error' | 'aria-label' | 'disabled'>) {
  const { t } = useTranslation('replaying')
  const words = useCalendarWords()
  const id = useId()
  return (
    <DateTimePicker
      // The calendar is named by what opens it.
      id={id}
      popoverProps={{ id }}
      ariaLabels={words}
      withSeconds
      highlightToday
      valueFormat={(date) => units.moment(dayjs(date).toDate())}
      minDate={min === undefined ? undefined : written(min)}
      maxDate={max === undefined ? undefined : written(max)}
      value={at === undefined ? null : written(at)}
      styles={{ placeholder: { color: 'var(--mantine-color-dimmed)' } }}
      clearButtonProps={{ 'aria-label': t('picker.clear') }}
      submitButtonProps={{ 'aria-label': t('picker.done') }}
      timePickerProps={{ hoursInputLabel: t('picker.hours'), minutesInputLabel: t('picker.minutes'), secondsInputLabel: t('picker.seconds') }}
      onChange={(text) => onChoose(text ? dayjs(text).toDate() : undefined)}
      // What can be read on it is part of its name.
      aria-label={name && at !== undefined ? `${name}: ${units.moment(new Date(at))}` : name}
      {...props}
    />
  )
}

function written(at: string | number): string {
  return dayjs(at).format('YYYY-MM-DD HH:mm:ss')
}
