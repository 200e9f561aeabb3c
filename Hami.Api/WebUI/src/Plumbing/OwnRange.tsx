import { Button, Stack } from '@mantine/core'
import { DateTimePicker } from '@mantine/dates'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'

/** Asks for a begin and an end. */
export default function OwnRange({ onChoose }: { onChoose: (from: Date, to: Date) => void }) {
  const { t } = useTranslation('plumbing')
  const [from, setFrom] = useState<string | null>(null)
  const [to, setTo] = useState<string | null>(null)
  const isGood = !!from && !!to && Date.parse(from) < Date.parse(to)
  return (
    <Stack gap="xs">
      <DateTimePicker label={t('range.from')} value={from} onChange={setFrom} withSeconds popoverProps={{ withinPortal: false }} />
      <DateTimePicker label={t('range.to')} value={to} onChange={setTo} withSeconds popoverProps={{ withinPortal: false }} error={from && to && !isGood ? t('range.backwards') : undefined} />
      <Button size="xs" disabled={!isGood} onClick={() => onChoose(new Date(from!), new Date(to!))}>{t('range.show')}</Button>
    </Stack>
  )
}
