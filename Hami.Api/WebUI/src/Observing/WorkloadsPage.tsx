import { Badge, Tabs } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import { PendingList } from '../Placing/PendingList'
import { WorkloadCountsDocument } from '../Plumbing/asked'
import { useMoment } from '../Plumbing/moment'
import { Page } from '../Plumbing/Page'
import { useQuestion } from '../Plumbing/question'
import * as units from '../Plumbing/units'
import { useSetUrl, useUrl } from '../Plumbing/url'
import { AllocationList } from './workloads/AllocationList'
import { useWorkloadFilter } from './workloads/Filters'
import { Tops } from './workloads/Tops'

const tabs = ['held', 'waiting', 'ended', 'all'] as const

/** The pods that hold cards, wait for some, or held some. */
export default function WorkloadsPage() {
  const { t } = useTranslation('observing')
  const { at } = useMoment()
  const [show] = useUrl('show')
  const set = useSetUrl()
  const shown = tabs.find((tab) => tab === show) ?? 'held'
  const { releaseReason, from, to, ...held } = useWorkloadFilter()
  const ended = { ...held, releaseReason, from, to }
  const question = useQuestion(WorkloadCountsDocument, { held: { ...held, live: true }, ended: { ...ended, live: false }, all: ended, waiting: { namespace: held.namespace, search: held.search }, at })
  const counts = question.data && { held: question.data.held.totalCount, waiting: question.data.waiting.totalCount, ended: question.data.ended.totalCount, all: question.data.all.totalCount }
  return (
    <Page title={t('workloads.title')}>
      <Tops filter={{ namespace: held.namespace }} />
      {/* What one list is sorted by, or filtered, another may not know. */}
      <Tabs value={shown} onChange={(next) => set({ show: next === 'held' ? undefined : (next ?? undefined), sort: undefined, reason: undefined, pod: undefined, find: undefined })} keepMounted={false}>
        <Tabs.List mb="sm">
          {tabs.map((tab) => {
            const count = counts?.[tab]
            return (
              <Tabs.Tab
                key={tab}
                value={tab}
                data-testid={`workloads-tab-${tab}`}
                data-value={count}
                rightSection={<Badge variant="light" size="sm" color={tab === 'waiting' && count ? 'orange' : 'gray'}>{units.count(count)}</Badge>}
              >
                {t(`workloads.tab.${tab}`)}
              </Tabs.Tab>
            )
          })}
        </Tabs.List>
        <Tabs.Panel value="held"><AllocationList shown="held" filter={{ ...held, live: true }} /></Tabs.Panel>
        <Tabs.Panel value="waiting"><PendingList /></Tabs.Panel>
        <Tabs.Panel value="ended"><AllocationList shown="ended" filter={{ ...ended, live: false }} /></Tabs.Panel>
        <Tabs.Panel value="all"><AllocationList shown="all" filter={ended} /></Tabs.Panel>
      </Tabs>
    </Page>
  )
}
