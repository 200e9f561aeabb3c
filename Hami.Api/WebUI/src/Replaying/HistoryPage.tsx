import { Tabs } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import { Page } from '../Plumbing/Page'
import { useUrl } from '../Plumbing/url'
import { Compare } from './Compare'
import { Events } from './Events'
import { WhatIf } from './WhatIf'

const shows = ['events', 'compare', 'replay'] as const

/** What happened, what lies between two moments, and what another policy would have made of it. */
export default function HistoryPage() {
  const { t } = useTranslation('replaying')
  const [show, setShow] = useUrl('show')
  const shown = shows.find((name) => name === show) ?? 'events'
  return (
    <Page title={t('title')}>
      <Tabs value={shown} onChange={(name) => setShow(name ?? undefined)} keepMounted={false}>
        <Tabs.List mb="md">
          {shows.map((name) => <Tabs.Tab key={name} value={name} data-testid={`history-tab-${name}`}>{t(`tabs.${name}`)}</Tabs.Tab>)}
        </Tabs.List>
        <Tabs.Panel value="events"><Events /></Tabs.Panel>
        <Tabs.Panel value="compare"><Compare /></Tabs.Panel>
        <Tabs.Panel value="replay"><WhatIf /></Tabs.Panel>
      </Tabs>
    </Page>
  )
}
