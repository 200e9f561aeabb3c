import { Button } from '@mantine/core'
import { useLocalStorage } from '@mantine/hooks'
import { ChartPie } from 'lucide-react'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { Page } from '../Plumbing/Page'

/** A list under its charts. Whether they are shown is remembered on this device; a phone hides them until somebody wants them. */
export function ChartedList({ name, title, charts, list }: {
  /** What it is remembered under. */
  name: string
  title: string
  charts: ReactNode
  list: ReactNode
}) {
  const { t } = useTranslation('registering')
  const [isShown, show] = useLocalStorage({ key: `hami-charts-${name}`, defaultValue: window.matchMedia('(min-width: 48em)').matches, getInitialValueInEffect: false })
  return (
    <Page
      title={title}
      actions={
        <Button size="xs" variant="default" leftSection={<ChartPie size={14} aria-hidden />} aria-expanded={isShown} onClick={() => show(!isShown)}>
          {t(isShown ? 'charts.hide' : 'charts.show')}
        </Button>
      }
    >
      {isShown && charts}
      {list}
    </Page>
  )
}
