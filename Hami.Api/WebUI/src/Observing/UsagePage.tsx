import { Alert, SegmentedControl } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import { useYou } from '../Access/Gate'
import { useMoment } from '../Plumbing/moment'
import { Page } from '../Plumbing/Page'
import { useSetUrl, useUrl } from '../Plumbing/url'
import { Choices } from './usage/Choices'
import { IdleCards } from './usage/IdleCards'
import { UsageByDay } from './usage/UsageByDay'
import { UsageList } from './usage/UsageList'

/** The usage ledger: who had how much of the cards, by the day. */
export default function UsagePage() {
  const { t } = useTranslation('observing')
  const { nodes: seesNodes } = useYou()
  const { isNow } = useMoment()
  const [view] = useUrl('view')
  const set = useSetUrl()
  const isIdle = view === 'idle' && seesNodes
  return (
    <Page
      title={t('usage.title')}
      actions={
        seesNodes && (
          <SegmentedControl
            size="sm" aria-label={t('usage.view')} value={isIdle ? 'idle' : 'use'} onChange={(next) => set({ view: next === 'idle' ? next : undefined, sort: undefined })}
            data={[{ value: 'use', label: t('usage.use') }, { value: 'idle', label: t('usage.idleCards') }]}
          />
        )
      }
    >
      {!isNow && <Alert color="gray" variant="light" role="note">{t('usage.wholeDays')}</Alert>}
      <Choices withBy={!isIdle} />
      {isIdle ? <IdleCards /> : <><UsageByDay /><UsageList /></>}
    </Page>
  )
}
